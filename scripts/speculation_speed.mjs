// What drafting by prompt lookup gains and costs, on the demo model: texts to be rewritten, and text that repeats nothing.
// With a model: the processor time of a step of n rows on one thread, against that of one row.
//
//     npm run build:all && node scripts/speculation_speed.mjs [model.gguf]
//
// Plain and drafted runs take turns, so that a busy machine is busy for both. NEOX_THREADS sets the threads for the demo model,
// ROUNDS the number of runs of each.

import { createRequire } from 'node:module';

const { Model, demoModelPath } = createRequire(import.meta.url)('../dist/index.js');
const rounds = Number(process.env.ROUNDS ?? 60);

const copies = [
  'Copy this text: I saw a red book in the park yesterday and my mother bought the old lamp near the station.',
  'Please copy the following text exactly.\nThe teacher opened the window at school this morning because the old man wanted a quiet garden.',
  '次の文を繰り返してください。\n昨日は母は公園で白い花を見つけました。そして、父は駅の前で古い話を聞きました。',
];
const greedy = { temperature: 0, maxNewTokens: 200 };
const free = { temperature: 1.5, topK: 0, eosTokenId: null, maxNewTokens: 200 };
const cases = [
  ...copies.map((prompt, index) => [`rewriting, text ${index + 1}`, prompt, greedy]),
  ...[1, 2, 3].map((seed) => [`sampled freely, seed ${seed}`, '面白い話をしてください。', { ...free, seed }]),
];
const drafts = { plain: 0, default: undefined, 'up to 4': 4, 'up to 8': 8 };

async function measureDemo() {
  const model = await Model.load(demoModelPath());
  console.log(
    `demo model, ${model.info.threads} threads; ms of decoding: shortest, median; ratios against plain`,
  );
  for (const [name, prompt, options] of cases) {
    const runs = Object.fromEntries(Object.keys(drafts).map((how) => [how, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [how, count] of Object.entries(drafts)) {
        const lookup = count === undefined ? {} : { promptLookupNumTokens: count };
        runs[how].push(
          await model.chat([{ role: 'user', content: prompt }], { ...options, ...lookup }).result(),
        );
      }
    }
    const ids = Object.values(runs)
      .flat()
      .map(({ tokenIds }) => tokenIds.join());
    if (new Set(ids).size !== 1) throw new Error(`${name}: drafts change the ids`);
    const plain = summary(runs.plain);
    for (const [how, results] of Object.entries(runs)) {
      const { shortest, median, drafted, accepted } = summary(results);
      const ratio = [plain.shortest / shortest, plain.median / median].map(
        (value) => `${value.toFixed(2)} x`,
      );
      const count = `${results[0].tokenIds.length} tokens, ${accepted} of ${drafted} drafted came`;
      console.log(
        `${name}, ${how}: ${shortest.toFixed(2)}, ${median.toFixed(2)} (${ratio.join(', ')}); ${count}`,
      );
    }
  }
  await model.dispose();
}

// Counts are those of the shortest run: by default they depend on what was measured.
function summary(results) {
  const sorted = [...results].sort((a, b) => a.timings.decodeMs - b.timings.decodeMs);
  const [first, middle] = [sorted[0].timings, sorted[Math.floor(sorted.length / 2)].timings];
  const { draftedTokens: drafted, acceptedTokens: accepted } = first;
  return { shortest: first.decodeMs, median: middle.decodeMs, drafted, accepted };
}

// Tokens of n sequences that step together; a short run is taken off a long one, and with it the prompts.
async function measureSteps(path) {
  const model = await Model.load(path, { threads: 1, contextLength: 64, maxSequences: 16 });
  const timeOf = async (sequences, maxNewTokens) => {
    const options = { temperature: 0, eosTokenId: null, maxNewTokens, promptLookupNumTokens: 0 };
    const before = process.cpuUsage();
    const calls = Array.from({ length: sequences }, (_, index) =>
      model.generate([100 + index], options).result(),
    );
    await Promise.all(calls);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const steps = 4;
  const counts = [1, 2, 3, 4, 6, 8, 16];
  const best = new Map();
  for (let round = 0; round < 3; round++) {
    for (const n of counts) {
      const short = await timeOf(n, 2);
      const ms = ((await timeOf(n, 2 + steps)) - short) / steps;
      best.set(n, Math.min(best.get(n) ?? Number.POSITIVE_INFINITY, ms));
    }
  }
  console.log(
    `${path}, ${model.info.type}, precision ${model.info.precision}, 1 thread; processor time of a step, least of 3`,
  );
  for (const n of counts)
    console.log(`${n} rows: ${best.get(n).toFixed(1)} ms, ${(best.get(n) / best.get(1)).toFixed(2)} x`);
  await model.dispose();
}

if (process.argv[2]) await measureSteps(process.argv[2]);
else await measureDemo();
