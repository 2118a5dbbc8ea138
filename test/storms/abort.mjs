// Calls of every kind, aborted at random moments: each rejects with its signal's reason, its session stands where the reader
// left it, and no block of the KV pool is lost.

import {
  between,
  expect,
  greedy,
  moment,
  neox,
  promptOf,
  random,
  rounds,
  settings,
  storm,
} from './storm.mjs';

const LANES = 8;

function start(model, session, signal) {
  const options = { ...greedy, maxNewTokens: between(40, 100), signal };
  switch (between(0, 5)) {
    case 0:
      return model.generate(promptOf(between(1, 400)), {
        ...options,
        numReturnSequences: 2,
        doSample: true,
        temperature: 1,
        seed: 1,
      });
    case 1:
      return model.generate(promptOf(between(1, 200)), { ...options, numBeams: 3 });
    case 2:
      return model.generate(promptOf(between(1, 100)), { ...options, logitsProcessor: () => undefined });
    default:
      return session.generate(promptOf(between(1, 400)), options);
  }
}

async function abortOne(model) {
  const controller = new AbortController();
  const reason = new Error('enough');
  const session = model.createSession();
  const generation = start(model, session, controller.signal);
  const reading = (async () => {
    if (random() < 0.3) return generation.result();
    for await (const chunk of generation) if (random() < 0.02 && chunk) await moment(2);
    return undefined;
  })();
  const aborting = moment(12).then(() => controller.abort(reason));
  let error;
  try {
    await reading;
  } catch (thrown) {
    error = thrown;
  }
  await aborting;
  expect(error === undefined || error === reason, `the reason, not ${error}`);
  expect(session.position === session.tokenIds.length, 'a session that counts its tokens');
  session.truncate(0);
  session.dispose();
  return error === reason;
}

const model = await neox.Model.load(settings.gguf, { maxSequences: LANES, threads: 2 });
await storm(async (count) => {
  const { wasted } = await rounds(count, LANES, () => abortOne(model));
  // Calls that together need the whole pool: a block that was lost would let one of them wait for ever.
  const { contextLength } = model.info;
  const whole = Array.from({ length: LANES }, () =>
    model.generate(promptOf(contextLength - 4), { ...greedy, maxNewTokens: 4 }).result(),
  );
  for (const { usage } of await Promise.all(whole)) expect(usage.completionTokens === 4, 'four tokens');
  return { endedBefore: wasted };
});
await model.dispose();
