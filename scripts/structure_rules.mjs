// The rules that scripts/check_structure.mjs enforces, as tables. Their reasons are in CONVENTIONS.md.

// What a folder under native/ may include beside itself: folders, or single files of one.
const below = ['base', 'tensor', 'quant', 'kernels', 'gguf', 'checkpoint'];
export const nativeLayers = {
  base: [],
  tensor: ['base'],
  gguf: ['base', 'tensor'],
  checkpoint: ['base', 'tensor'],
  quant: ['base', 'tensor'],
  kernels: ['base', 'tensor', 'quant'],
  model: below,
  // What crosses to a device library is plain data; of the rest it needs the formats and what must come out the same.
  cuda: [
    ...['base', 'tensor', 'quant', 'kernels/kernels.h'],
    ...['backend', 'batch', 'config', 'device_interface', 'profile', 'rope_table'].map(
      (name) => `model/${name}.h`,
    ),
  ],
  engine: ['base', 'model'],
  tokenizer: ['base', 'checkpoint/spiece.h'],
  jobs: [...below, 'model', 'engine'],
  binding: [...below, 'model', 'engine', 'jobs', 'tokenizer'],
};
export const isaFolder = /^native\/kernels\/\w+\//; // one instruction set each
export const isaIncludes = [
  'kernels/kernels.h',
  'kernels/cpu_features.h',
  'kernels/tables.h',
  'kernels/target.h',
  'kernels/layout_blocks.h',
  'kernels/words.h', // of four rows, by the compiler's own vectors
  'kernels/avx512/words.h',
  'kernels/generic/',
  'kernels/avx2/vectors.h', // of several sets, as the next two
  'kernels/avx512/vectors.h',
  'kernels/neon/vectors.h',
  'quant/blocks.h',
  'quant/k_scales.h',
  'base/half.h',
];

// A file of lib/ may import from its own layer and from those before it.
export const libLayers = [
  [
    ...[
      'errors',
      'weight-types',
      'beam-types',
      'overflow-types',
      'types',
      'sampler-types',
      'row-types',
      'load-types',
      'job-types',
      'profile-types',
      'validate',
      'text-filter',
    ],
    ...['unicode', 'unicode-versions', 'utf8', 'trie', 'longest-match'],
    ...['native-types', 'native-load-types', 'chat-formats', 'hash'],
  ],
  [
    'addon',
    'native',
    'demo',
    'asar',
    'cuda-library',
    'hub-names',
    'hub-cache',
    'model-names',
    'known-files',
    'output-path',
  ],
  ['tokenizer-config', 'tokenizer-kind', 'decode-stream', 'text-stream'],
  [
    ...['pieces', 'added-tokens', 'text-chunks', 'piece-decoder', 'spiece-decoder', 'spiece-tokenizer'],
    ...['byte-level', 'tokenizer-json', 'added-vocabulary', 'fast-tokens', 'bpe-tokenizer'],
  ],
  ['tokenizer'],
  [
    ...['dry-breakers', 'overflow', 'session-types', 'sampler-options', 'sampler', 'beam-options'],
    ...['generate-options', 'generation-config', 'chat-template', 'chat'],
    ...[
      'jobs',
      'file-types',
      'convert',
      'rounding-options',
      'quantize',
      'imatrix',
      'synth',
      'verify',
      'load-options',
      'system',
      'devices',
    ],
    ...['hub-api', 'hub-download', 'hub-lock', 'hub-selection', 'hub-models', 'hub'],
  ],
  [
    ...['loaded-model', 'quantized-cache', 'load', 'prompt', 'calls', 'inspection'],
    ...['output', 'generation', 'choices', 'beams', 'generate', 'rows'],
    'session',
  ],
  ['model'],
  ['eval', 'compare'],
  ['index'],
];
// Packages that a file of lib/ may import beside Node's own; those of a folder's files.
export const filePackages = {
  'lib/addon.ts': ['node-gyp-build'],
  'lib/hub-selection.ts': ['picomatch'],
  'lib/bpe-tokenizer.ts': ['@huggingface/tokenizers'],
};
export const folderPackages = { cli: ['commander', 'cli-progress'] };
// The folders of lib/, and what they import beside lib/index and themselves.
export const folderImports = { cli: ['server', 'batch'], 'ai-sdk': [], electron: [] };

// Lines that only the named files may hold; comments are cut off first.
export const reserved = [
  [/\b[fv]?printf\s*\(|std::c(out|err|log)\b|\bf?puts\s*\(/, [], 'the core does not print'],
  [/\b_?exit\s*\(|\babort\s*\(|std::terminate/, [], 'the core does not end the process'],
  [
    /\bgetenv\b/,
    ['native/kernels/dispatch.cpp', 'native/base/thread_pool.cpp'],
    'the core does not read the environment',
  ],
  [/#include "\.\.?\//, [], 'includes are written from native/'],
  [
    /#include <(\w*intrin|arm_\w+|cpuid)\.h>/,
    ['native/kernels/', 'native/base/thread_pool.cpp'],
    'intrinsics belong under kernels/',
  ],
  [/#include <cuda/, ['native/cuda/'], 'CUDA headers belong under cuda/'],
  [
    /#include <(napi|node_api|js_native_api)\b/,
    ['native/binding/napi_setup.h'],
    'napi.h comes through napi_setup.h',
  ],
  [/#include <sentencepiece/, ['native/tokenizer/tokenizer.cpp'], 'sentencepiece belongs to tokenizer.cpp'],
];
// Files of CMake that name every source of some places.
export const sourceLists = [
  ['cmake/sources.cmake', /^(native\/(?!cuda\/)|test\/native\/|test\/bench\/).*\.cpp$/],
  ['cmake/cuda.cmake', /^(native|test)\/cuda\/.*\.(cpp|cu)$/],
];
export const machinePath = new RegExp(
  `(^|[\\s"'\`(=:])/(${['work', 'tmp', 'root', 'home', 'Users'].join('|')})/\\w`,
);

/** The most lines a file may have. */
export function ceiling(file) {
  if (/\.(cpp|h|cu|cuh)$/.test(file)) return /^native\/(kernels|cuda)\//.test(file) ? 500 : 400;
  return /\.(ts|mjs|cjs)$/.test(file) ? 300 : Infinity;
}
