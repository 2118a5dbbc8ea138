// Models and sessions disposed of while they generate: whoever reads hears ERR_NEOX_DISPOSED, and nobody else is disturbed.

import {
  between,
  expect,
  greedy,
  moment,
  neox,
  outcome,
  promptOf,
  rounds,
  settings,
  storm,
} from './storm.mjs';

const DISPOSED = 'ERR_NEOX_DISPOSED';
const long = { ...greedy, maxNewTokens: 60 };

async function disposeModel() {
  const model = await neox.Model.load(settings.gguf, { threads: between(1, 2), maxSequences: 2 });
  const session = model.createSession();
  const calls = [
    model.generate(promptOf(between(1, 300)), long),
    session.generate(promptOf(between(1, 300)), long),
  ];
  if (between(0, 1) === 1) calls.push(model.generate(promptOf(9), { ...long, numBeams: 2 }));
  const readings = calls.map((call) => outcome(call.result(), DISPOSED));
  if (between(0, 3) === 0) readings.push(outcome(model.logits(promptOf(200)), DISPOSED));
  await moment(12);
  const disposals = [model.dispose(), model.dispose()];
  const ends = await Promise.all(readings);
  await Promise.all(disposals);
  return ends.includes(DISPOSED);
}

async function disposeSession(model, expected) {
  const session = model.createSession();
  const reading = outcome(session.generate(promptOf(between(1, 300)), long).result(), DISPOSED);
  const other = model.generate([1, 2, 3], { ...greedy, maxNewTokens: 6 }).result();
  await moment(12);
  session.dispose();
  session.dispose();
  expect(String((await other).tokenIds) === expected, 'the neighbour undisturbed');
  return (await reading) === DISPOSED;
}

const model = await neox.Model.load(settings.gguf, { threads: 2, maxSequences: 8 });
const { tokenIds } = await model.generate([1, 2, 3], { ...greedy, maxNewTokens: 6 }).result();
await storm(async (count) => {
  const { wasted } = await rounds(count, 4, (index) =>
    index % 2 === 0 ? disposeModel() : disposeSession(model, String(tokenIds)),
  );
  return { endedBefore: wasted };
});
await model.dispose();
