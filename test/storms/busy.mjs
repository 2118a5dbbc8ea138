// Two readers of one session and two of one generation: the second is refused, the first never notices.

import {
  between,
  expect,
  greedy,
  moment,
  neox,
  outcome,
  rejection,
  rounds,
  settings,
  storm,
} from './storm.mjs';

const prompt = Int32Array.of(1, 2, 3);
const options = { ...greedy, maxNewTokens: 24 };
const model = await neox.Model.load(settings.gguf, { threads: 2, maxSequences: 8 });
const expected = String((await model.generate(prompt, options).result()).tokenIds);

async function twoCallsOfOneSession() {
  const session = model.createSession();
  const calls = [session.generate(prompt, options), session.generate(prompt, options)];
  const iterators = calls.map((call) => call[Symbol.asyncIterator]());
  const [first, second] = between(0, 1) === 0 ? iterators : iterators.reverse();
  const begun = first.next();
  await moment(1);
  const code = await outcome(second.next(), 'ERR_NEOX_BUSY');
  const ids = [];
  for (let step = await begun; !step.done; step = await first.next()) {
    ids.push(...step.value.tokens.map(({ id }) => id));
  }
  // The second may have come after the first had ended, and then it went on from there.
  expect(code === 'ok' || String(ids) === expected, 'the ids of a call that is alone');
  if (code === 'ok') await second.return();
  session.dispose();
  return code !== 'ok';
}

async function twoReadersOfOneCall() {
  const generation = model.generate(prompt, options);
  const iterator = generation[Symbol.asyncIterator]();
  const step = iterator.next();
  const error = await rejection(Promise.resolve().then(() => generation[Symbol.asyncIterator]().next()));
  expect(error?.code === 'ERR_NEOX_INVALID_ARGUMENT', `a refusal, not ${error}`);
  expect(!(await step).done, 'a chunk');
  expect(String((await generation.result()).tokenIds) === expected, 'the whole result');
}

await storm(async (count) => {
  const { wasted } = await rounds(count, 4, (index) =>
    index % 2 === 0 ? twoCallsOfOneSession() : twoReadersOfOneCall(),
  );
  return { endedBefore: wasted };
});
await model.dispose();
