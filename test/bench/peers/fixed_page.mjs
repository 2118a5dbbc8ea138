// The page of results that never change, as the tests expect it:
//
//   node test/bench/peers/fixed_page.mjs > test/bench/peers/fixed_page.md

import { renderPage } from './page.mjs';
import { PEERS } from './peers.mjs';
import { LOGIT_IDS } from './task.mjs';

const SETTINGS = { shape: '3.6b', layers: 9, threads: 2, prompt: 512, gen: 64, depth: 1536 };
const MACHINE = {
  cpu: 'A processor',
  processors: 2,
  memoryBytes: 2 ** 34,
  system: 'Linux 6.1, Node.js 20.20.2',
};
const VERSIONS = { 'gpt-neox': '0.1.0, avx512vnni', ctranslate2: 'CTranslate2 4.8.5' };
const QUIET = { others: 0.02, steal: 0, load: 1.2, doubts: [] };
const BUSY = { others: 0.9, steal: 0.03, load: 5, doubts: ['other processes took 0.9 of 2 cores'] };

let minute = 0;
function record(peer, type, round, more) {
  const version = VERSIONS[peer] ?? 'llama-cpp-python 0.3.36';
  const at = new Date(Date.UTC(2026, 0, 2, 3, minute++)).toISOString();
  const who = { at, peer, probe: version, version, commit: 'abcdef012', machine: MACHINE, type, round };
  return { ...who, ...SETTINGS, noise: QUIET, peakBytes: 1.4e9, ...more };
}

const COST = { stepBytes: 1e9, rowElements: 9e8, headElements: 9e7, kvBytes: 1e5 };
const ceilings = (readGbPerS) => ({ readGbPerS, int8GopPerS: 920, int16GopPerS: 470, f32GflopPerS: 230 });
const LOGITS = LOGIT_IDS.map((id) => Math.sin(id));
const ours = (pp, tg, more) => ({
  ...{ pp, tg, tgDepth: tg - 4, firstTokenSeconds: 25 / tg, readSeconds: 0.5, precision: 'fast', cost: COST },
  ...{ ids: [1, 2, 3, 4], logits: LOGITS, ceilings: ceilings(40), ...more },
});
const theirs = (pp, tg, more) => ({
  ...{
    pp,
    tg,
    tgDepth: tg - 8,
    firstTokenSeconds: 20 / tg,
    ids: [1, 2, 9, 4],
    logits: LOGITS.map((x) => x + 0.02),
  },
  ...more,
});

const RECORDS = [
  record('gpt-neox', 'Q8_0', 0, { ...ours(900, 90), commit: '0123older' }),
  record('gpt-neox', 'Q8_0', 0, ours(294, 36, { ceilings: null })),
  record('llama-cpp-python', 'Q8_0', 0, theirs(118, 24)),
  record('ctranslate2', 'Q8_0', 0, theirs(304, 16, { ids: null, logits: LOGITS.map((x) => -x) })),
  record('llama-cpp-python', 'Q8_0', 1, theirs(121, 23.5)),
  record('ctranslate2', 'Q8_0', 1, {
    error: 'exit code 1: MemoryError: of /somewhere/model.bin',
    noise: QUIET,
  }),
  record('gpt-neox', 'Q8_0', 1, ours(270, 30, { noise: BUSY, ceilings: ceilings(35) })),
  record('gpt-neox', 'Q8_0', 2, ours(300, 37)),
  record('llama-cpp-python', 'Q8_0', 2, theirs(119, 24.5)),
  record('llama-cpp-python', 'Q4_0', 0, theirs(149, 44)),
  record('gpt-neox', 'Q4_0', 0, { error: 'needs 4.0 GB of memory; 3.0 GB are free' }),
  record('gpt-neox', 'BF16', 0, ours(120, 18, { precision: 'high', commit: '111112222' })),
  record('gpt-neox', 'F32', 0, ours(60, 9, { precision: 'exact', ceilings: null })),
];

const absent = [{ peer: PEERS.find(({ name }) => name === 'transformers'), why: "No module named 'torch'" }];
process.stdout.write(renderPage(RECORDS, { ...SETTINGS, peers: PEERS }, absent));
