// Jobs cancelled at random moments: each rejects with the reason, and its output is whole or not there.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  between,
  expect,
  greedy,
  moment,
  neox,
  pick,
  promptOf,
  rejection,
  rounds,
  settings,
  storm,
} from './storm.mjs';

const ids = Array.from({ length: 600 }, (_, index) => (index * 31) % 128);
const start = {
  convert: (output, options) => neox.convert(settings.checkpoint, output, { type: 'Q8_0', ...options }),
  quantize: (output, options) =>
    neox.quantize(settings.gguf, output, { type: 'Q4_0', allowRequantize: true, ...options }),
  synth: (output, options) =>
    neox.synth(output, { shape: 'tiny', type: 'Q8_0', tokenizer: false, ...options }),
  verify: (_, options) => neox.verify(settings.gguf, options),
  collectImportance: (output, options) =>
    neox.collectImportance(settings.checkpoint, output, { ids, contextLength: 200, threads: 1, ...options }),
  save: (output, options) => session.save(output, options),
  restoreSession: (_, options) => model.restoreSession(saved, options).then((restored) => restored.dispose()),
};

async function cancelOne(index) {
  const controller = new AbortController();
  const reason = new Error('enough');
  const options = { signal: controller.signal };
  if (between(0, 2) === 0) options.onProgress = () => between(0, 3) === 0 && controller.abort(reason);
  const name = pick(Object.keys(start));
  const output = join(settings.folder, `job-${index}.gguf`);
  const ended = rejection(start[name](output, options));
  await moment(10);
  controller.abort(reason);
  const error = await ended;
  if (error?.code === 'ERR_NEOX_BUSY' && name === 'save') return false; // another lane saves
  expect(error === undefined || error === reason, `the reason of ${name}, not ${error}`);
  // The abort may come between the last write and the end of the job.
  if (existsSync(output) && name !== 'collectImportance')
    await (name === 'save' ? model.restoreSession(output) : neox.verify(output));
  rmSync(output, { force: true });
  return error === reason;
}

const model = await neox.Model.load(settings.checkpoint, { threads: 1 });
const session = model.createSession();
await session.generate(promptOf(180), { ...greedy, maxNewTokens: 4 }).result();
const saved = join(settings.folder, 'saved.session');
await session.save(saved);
await storm(async (count) => {
  const { wasted } = await rounds(count, 3, cancelOne);
  const left = readdirSync(settings.folder).filter((name) => name.startsWith('job-'));
  expect(left.length === 0, `no file left, but ${left}`);
  return { endedBefore: wasted };
});
await model.dispose();
