// The page of results that never change, as the tests expect it:
//
//   node test/bench/peers/fixed_accuracy.mjs > test/bench/peers/fixed_accuracy.md

import { renderAccuracy } from './accuracy_page.mjs';

const VERSIONS = { 'gpt-neox': 'abcdef012', 'llama-cpp-python': 'llama-cpp-python 0.3.36' };
const KL = [1, 2, 3, 6];

function record(engine, type, phase, precision, scale, more) {
  const [kl, ownKl] = [KL.map((value) => value * scale), KL.map((value) => (value * scale) / 10)];
  const who = { at: '2026-01-02T03:04:05Z', model: 'demo', type, inputs: 'a', chunks: 2 };
  return { ...who, engine, version: VERSIONS[engine], precision, phase, kl, ownKl, same: 3, ...more };
}

const RECORDS = [
  // Of other texts or files, and of a run before: neither stands in the page.
  record('llama-cpp-python', 'Q8_0', 'prompt', null, 1e-9, { inputs: 'b' }),
  record('gpt-neox', 'Q8_0', 'prompt', 'fast', 1e-9, { version: '0123older' }),
  ...['prompt', 'step'].flatMap((phase) => [
    record('gpt-neox', 'Q8_0', phase, 'exact', 5e-6),
    record('gpt-neox', 'Q8_0', phase, 'fast', phase === 'step' ? 6e-6 : 2e-5),
    record('llama-cpp-python', 'Q8_0', phase, null, 1.5e-5),
    // Of another build, which the page must say.
    record('gpt-neox', 'F16', phase, 'high', 1e-7, { version: '111112222', at: '2026-01-01T00:00:00Z' }),
    record('llama-cpp-python', 'F16', phase, null, 1.1e-7, { model: 'outliers' }),
  ]),
  // As JSON keeps what is no number.
  record('llama-cpp-python', 'Q4_0', 'prompt', null, 1, { kl: [null, 1], reference: '0123older' }),
  record('llama-cpp-python', 'Q4_0', 'step', null, 1e-3, { reference: '0123older' }),
  record('gpt-neox', 'F32', 'step', 'exact', 1e-9, { reference: 'abcdef012' }),
  record('llama-cpp-python', 'F16', 'prompt', null, 0, { error: 'SIGKILL: of /somewhere/model.gguf' }),
];

process.stdout.write(renderAccuracy(RECORDS));
