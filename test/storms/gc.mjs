// Objects of every class dropped in every state without dispose(), under pressure: engines, threads and memory come back.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  between,
  expect,
  greedy,
  moment,
  neox,
  pick,
  promptOf,
  rounds,
  settings,
  storm,
  threadCount,
} from './storm.mjs';

const long = { ...greedy, maxNewTokens: 200 };
const load = () => neox.Model.load(settings.gguf, { threads: between(1, 2), maxSequences: 2 });
const first = (generation) => generation[Symbol.asyncIterator]().next();

const drop = {
  fresh: async () => void (await load()),
  session: async () => void (await load()).createSession(),
  'a generation that never began': async () => void (await load()).generate(promptOf(5), long),
  generating: async () => void (await first((await load()).generate(promptOf(50), long))),
  'generating in a session': async () =>
    void (await first((await load()).createSession().generate([1, 2], long))),
  'generating with a signal that lives on': async () =>
    void (await first((await load()).generate(promptOf(50), { ...long, signal: lasting.signal }))),
  'a step that is waited for by nobody': async () => void first((await load()).generate(promptOf(300), long)),
  'a stream that nobody reads': async () =>
    void (await load()).generate(promptOf(5), long).toReadableStream(),
  'a stream read once': async () =>
    void (await (await load()).generate(promptOf(5), long).toReadableStream().getReader().read()),
  aborted: async () => {
    const controller = new AbortController();
    const generation = (await load()).generate(promptOf(300), { ...long, signal: controller.signal });
    const reading = generation.result().catch(() => undefined);
    await moment(5);
    controller.abort();
    await reading;
  },
  fork: async () => {
    const session = (await load()).createSession();
    await session.generate(promptOf(70), { ...greedy, maxNewTokens: 2 }).result();
    session.fork().truncate(3);
  },
  disposed: async () => {
    const model = await load();
    const session = model.createSession();
    void model.dispose();
    return void session;
  },
  'a load that nobody waits for': async () => void load(),
  'a job that nobody waits for': async () => void neox.verify(settings.gguf),
  tokenizer: async () => void (await neox.Tokenizer.load(settings.gguf)).createDecodeStream(),
  sampler: async () =>
    void new neox.Sampler({ temperature: 1, seed: 1 }).sample(new Float32Array(500), [1, 2]),
};

const lasting = new AbortController();
setMaxListeners(0, lasting.signal);
const states = Object.keys(drop);

async function collect(threads) {
  for (let wait = 0; wait < 200; wait++) {
    globalThis.gc();
    await sleep(10);
    if (threadCount() <= threads) return;
  }
  expect(false, `at most ${threads} threads, not ${threadCount()}`);
}

const held = [];
const threadsAtStart = threadCount();
await storm(async (count) => {
  await rounds(count, 2, async (index) => {
    await drop[index < states.length ? states[index] : pick(states)]();
    // Pressure on the young and the old generation.
    held.push(Array.from({ length: 2000 }, (_, i) => ({ i })));
    if (held.length > 20) held.length = 0;
    if (index % 16 === 15) await collect(threadsAtStart + 12);
  });
  held.length = 0;
  await collect(threadsAtStart + 1);
});
