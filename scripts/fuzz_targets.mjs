// The parsers that are fuzzed. Each has test/fuzz/<parser>_fuzz.cpp and is named in cmake/fuzz.cmake too.

import { join } from 'node:path';
import { root } from './steps.mjs';

export const fixturesDir = join(root, 'test', 'fixtures');

/**
 * `controls` are whole files, which the driver cuts, flips and overwrites exhaustively; `seeds` are folders whose files
 * are mutated at random; libFuzzer begins with their files. Both are under test/fixtures. `flips` is the number of bit
 * flips of the controls together; edge integers are at most half as many.
 */
export const fuzzTargets = [
  {
    parser: 'gguf',
    reads: 'GGUF, its configuration and the tokenizers of others in it',
    controls: [
      'hostile/gguf/control.gguf',
      'hostile/gguf-tokenizer/control-t5.gguf',
      'hostile/gguf-tokenizer/control-gpt2.gguf',
    ],
    seeds: ['hostile/gguf', 'hostile/gguf-tokenizer'],
  },
  {
    parser: 'safetensors',
    reads: 'safetensors',
    controls: ['hostile/safetensors/control.safetensors'],
    seeds: ['hostile/safetensors'],
  },
  {
    parser: 'json',
    reads: 'any JSON',
    controls: ['hostile/config/control.json', 'hostile/index/control.json'],
    seeds: ['hostile/config', 'hostile/index'],
  },
  {
    parser: 'config_json',
    reads: 'config.json',
    controls: ['hostile/config/control.json'],
    seeds: ['hostile/config'],
  },
  {
    parser: 'index_json',
    reads: 'model.safetensors.index.json, pytorch_model.bin.index.json',
    controls: ['hostile/index/control.json'],
    seeds: ['hostile/index'],
  },
  {
    parser: 'zip',
    reads: 'zip archives, as in pytorch_model.bin',
    controls: ['hostile/torch/control.bin', 'torch/wrapped.bin'],
    seeds: ['hostile/torch'],
  },
  {
    parser: 'pickle',
    reads: 'pickles of state dicts',
    controls: ['hostile/pickle/state-dict.pkl', 'hostile/pickle/state-dict-legacy.pkl'],
    seeds: ['hostile/pickle', 'hostile/torch'],
  },
  {
    parser: 'torch',
    reads: 'pytorch_model.bin',
    controls: ['hostile/torch/control.bin', 'hostile/torch/control-legacy.bin', 'torch/views.bin'],
    seeds: ['hostile/torch', 'torch'],
  },
  {
    parser: 'imatrix',
    reads: 'importance matrices',
    controls: ['hostile/imatrix/control.gguf', 'hostile/imatrix/control.dat'],
    seeds: ['hostile/imatrix'],
  },
  {
    parser: 'session',
    reads: 'saved sessions',
    controls: ['hostile/session/control.bin', 'hostile/session/control-embeddings.bin'],
    seeds: ['hostile/session'],
  },
  {
    parser: 'tokenizer_json',
    reads: 'tokenizer.json, for GGUF',
    controls: ['hostile/tokenizer_json/control.json'],
    seeds: ['hostile/tokenizer_json', 'tokenizer/bpe'],
    flips: 30_000, // its reader of JSON is that of the targets above
  },
  {
    parser: 'spiece',
    reads: 'spiece.model: our reader and validation',
    controls: ['hostile/spiece/control.model', 'hostile/spiece/control-charsmap.model'],
    seeds: ['hostile/spiece'],
  },
  {
    parser: 'charsmap',
    reads: 'the character map of a spiece.model',
    controls: ['hostile/charsmap/one-rule.bin'],
    seeds: ['hostile/charsmap'],
  },
  {
    parser: 'tokenizer',
    reads: 'spiece.model: sentencepiece on what passes the validation',
    controls: ['hostile/spiece/control.model', 'hostile/spiece/control-charsmap.model'],
    seeds: ['hostile/spiece'],
    flips: 2_000, // an input costs a millisecond; the target above tries 100,000
  },
];
