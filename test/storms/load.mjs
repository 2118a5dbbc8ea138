// Loads of files and directories, as they are and quantized on the way, aborted at random moments.

import { between, expect, moment, neox, pick, rejection, rounds, settings, storm } from './storm.mjs';

async function abortOne() {
  const controller = new AbortController();
  const reason = new Error('enough');
  const options = { signal: controller.signal, threads: between(1, 2) };
  const path = pick([settings.gguf, settings.checkpoint]);
  if (between(0, 2) === 0) Object.assign(options, { type: path === settings.gguf ? 'F32' : 'Q8_0' });
  if (between(0, 3) === 0) options.onProgress = () => between(0, 3) === 0 && controller.abort(reason);
  const ended = rejection(neox.Model.load(path, options).then((model) => model.dispose()));
  await moment(6);
  controller.abort(reason);
  const error = await ended;
  expect(error === undefined || error === reason, `the reason, not ${error}`);
  return error === reason;
}

process.removeAllListeners('warning'); // of weights that are quantized twice
await storm(async (count) => {
  const { wasted } = await rounds(count, 4, abortOne);
  return { endedBefore: wasted };
});
