// Consumers that stall after a chunk: their calls wait in a bounded ring, those of others go on, and all goes on later with
// the ids that it would have had.

import { expect, greedy, neox, promptOf, rounds, settings, storm } from './storm.mjs';

const STALLED = 3;
const model = await neox.Model.load(settings.gguf, { threads: 2, maxSequences: STALLED + 2 });
const prompt = promptOf(20);
const long = { ...greedy, maxNewTokens: 400 };
const expectedLong = String((await model.generate(prompt, long).result()).tokenIds);
const short = { ...greedy, maxNewTokens: 8 };
const expectedShort = String((await model.generate(prompt, short).result()).tokenIds);

const idsOf = (step) => step.value.tokens.map(({ id }) => id);

await storm(async (count) => {
  const stalled = Array.from({ length: STALLED }, () => model.generate(prompt, long)[Symbol.asyncIterator]());
  const ids = [];
  for (const iterator of stalled) ids.push(idsOf(await iterator.next()));
  await rounds(count, 2, async () => {
    const { tokenIds } = await model.generate(prompt, short).result();
    expect(String(tokenIds) === expectedShort, 'the ids of a call beside stalled ones');
  });
  for (const [index, iterator] of stalled.entries()) {
    const next = await iterator.next();
    // No more than the ring of 128 has been computed meanwhile.
    expect(idsOf(next).length <= 128, 'a bounded ring');
    ids[index].push(...idsOf(next));
    for (let step = await iterator.next(); !step.done; step = await iterator.next())
      ids[index].push(...idsOf(step));
    expect(String(ids[index]) === expectedLong, 'the ids of a call that never stalled');
  }
});
await model.dispose();
