// The peers as data. A peer is a driver under drivers/ (one file, one protocol: README.md) and a line here.
//
// runs      how its driver is started: by `node` itself, or by a Python
// path      what --with names; `bin` of a Python, a folder that holds node_modules, a build folder
// input     what it loads: the GGUF file, or what `models.mjs` makes of the BF16 file
// types     the types of weights that it is measured on by default
// same      the type of ours that holds the same weights
// resident  bytes of memory that it takes for each byte of weights that it loads, to see beforehand whether it fits
// seconds   a guess at one run on 36 layers with 2 threads, until it has been measured
// limit     the most seconds that a run may take, where 2 minutes and ten times its estimate are not right

const ANY = () => true;
const only =
  (...types) =>
  (type) =>
    types.includes(type);

export const OURS = 'gpt-neox';

export const PEERS = [
  {
    name: OURS,
    title: 'gpt-neox',
    driver: 'gpt_neox.mjs',
    runs: 'node',
    input: 'gguf',
    types: ANY,
    resident: 1.1,
    seconds: 45,
    install: 'npm start -- --version',
  },
  {
    name: 'llama-cpp-python',
    title: 'llama.cpp',
    driver: 'llama_cpp_python.py',
    runs: 'python',
    input: 'gguf',
    types: ANY,
    settings: { flash: false },
    resident: 2.1,
    seconds: 95,
    install: 'pip install llama-cpp-python',
  },
  {
    name: 'llama-cpp-python-fa',
    title: 'llama.cpp, flash attention',
    driver: 'llama_cpp_python.py',
    runs: 'python',
    path: 'llama-cpp-python',
    input: 'gguf',
    types: ANY,
    settings: { flash: true },
    resident: 2.1,
    seconds: 90,
    install: 'pip install llama-cpp-python',
  },
  {
    name: 'node-llama-cpp',
    title: 'node-llama-cpp',
    driver: 'node_llama_cpp.mjs',
    runs: 'node',
    input: 'gguf',
    types: only('Q4_0', 'Q8_0'),
    resident: 2.1,
    seconds: 95,
    install: 'npm install node-llama-cpp',
  },
  {
    name: 'llama.cpp',
    title: 'llama.cpp (llama-bench)',
    driver: 'llama_bench.mjs',
    runs: 'node',
    isBuild: true,
    input: 'gguf',
    types: ANY,
    resident: 2.1,
    seconds: 95,
    install: 'build it, then --with llama.cpp=<build folder>',
  },
  {
    name: 'ik_llama.cpp',
    title: 'ik_llama.cpp (llama-bench)',
    driver: 'llama_bench.mjs',
    runs: 'node',
    isBuild: true,
    input: 'gguf',
    types: ANY,
    settings: { repack: true },
    resident: 2.1,
    seconds: 80,
    install: 'build it, then --with ik_llama.cpp=<build folder>',
  },
  {
    name: 'transformers',
    title: 'transformers, torch bf16',
    driver: 'transformers_torch.py',
    runs: 'python',
    input: 'checkpoint',
    types: only('BF16'),
    same: 'BF16',
    resident: 1.3,
    seconds: 120,
    install: 'pip install torch transformers==4.57.6 safetensors',
  },
  {
    name: 'ctranslate2',
    title: 'CTranslate2 int8',
    driver: 'ctranslate2_int8.py',
    runs: 'python',
    input: 'ctranslate2',
    types: only('Q8_0'),
    same: 'BF16',
    resident: 1.4,
    seconds: 75,
    install: 'pip install ctranslate2 numpy',
  },
];

export const peerOf = (name) => PEERS.find((peer) => peer.name === name);
