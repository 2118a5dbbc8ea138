// Every method in every state of a model and a session: fresh, generating, aborted, disposed.

import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, type Generation, Model, NeoxError, type Progress, type Session } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';

const path = checkpointPath('sequential-erf');
const greedy = { eosTokenId: null, temperature: 0 };
const states = ['fresh', 'generating', 'aborted', 'disposed'] as const;
type State = (typeof states)[number];

interface Subject {
  model: Model;
  session: Session;
  /** The session's call, in the states that have one. */
  generation: Generation | undefined;
}

async function make(state: State): Promise<Subject> {
  const model = await Model.load(path, { contextLength: 600 });
  const session = model.createSession();
  const subject: Subject = { model, session, generation: undefined };
  if (state === 'disposed') await model.dispose();
  if (state !== 'generating' && state !== 'aborted') return subject;
  const controller = new AbortController();
  // More than a ring of 128 holds after it was emptied once, so that it is still running whenever it is looked at.
  subject.generation = session.generate([1, 2], { ...greedy, maxNewTokens: 500, signal: controller.signal });
  const iterator = subject.generation[Symbol.asyncIterator]();
  await iterator.next();
  if (state === 'aborted') {
    controller.abort();
    await expect(iterator.next()).rejects.toBe(controller.signal.reason);
  }
  return subject;
}

// 'ok' or the code of the error, thrown at once or when read.
async function outcome(run: () => unknown): Promise<string> {
  try {
    const value = run();
    await (typeof (value as Generation)?.result === 'function' ? (value as Generation).result() : value);
    return 'ok';
  } catch (error) {
    return error instanceof NeoxError ? error.code : String(error);
  }
}

const methods: Record<string, (subject: Subject) => unknown> = {
  'model.generate': ({ model }) => model.generate([1, 2], { ...greedy, maxNewTokens: 3 }),
  'model.createSession': ({ model }) => model.createSession(),
  'model.logits': ({ model }) => model.logits([1, 2]),
  'model.score': ({ model }) => model.score([1], [2]),
  'model.inputEmbeddings': ({ model }) => model.inputEmbeddings([1]),
  'model.embed': ({ model }) => model.embed([1, 2]),
  'session.generate': ({ session }) => session.generate([3], { ...greedy, maxNewTokens: 3 }),
  'session.position': ({ session }) => session.position,
  'session.tokenIds': ({ session }) => session.tokenIds,
  'session.truncate': ({ session }) => session.truncate(0),
  'session.fork': ({ session }) => session.fork(0),
  'model.config': ({ model }) => model.config.hiddenSize,
  'session.dispose': ({ session }) => session.dispose(),
  'model.dispose': ({ model }) => model.dispose(),
};
const needIdle = ['session.generate', 'session.truncate', 'session.fork'];
const alwaysWork = ['model.config', 'session.dispose', 'model.dispose'];

function expected(state: State, method: string): string {
  if (state === 'disposed' && !alwaysWork.includes(method)) return 'ERR_NEOX_DISPOSED';
  if (state === 'generating' && needIdle.includes(method)) return 'ERR_NEOX_BUSY';
  return 'ok';
}

describe.each(states)('%s', (state) => {
  test.each(Object.keys(methods))('%s', async (method) => {
    const subject = await make(state);
    try {
      expect(await outcome(() => methods[method]?.(subject))).toBe(expected(state, method));
      if (state !== 'generating') return;
      const ended = ['session.dispose', 'model.dispose'].includes(method);
      expect(await outcome(() => subject.generation)).toBe(ended ? 'ERR_NEOX_DISPOSED' : 'ok');
    } finally {
      await subject.model.dispose();
    }
  });
});

test('a disposed session refuses everything but dispose', async () => {
  const { model, session } = await make('fresh');
  session.dispose();
  session.dispose();
  for (const [name, run] of Object.entries(methods)) {
    if (!name.startsWith('session.') || name === 'session.dispose') continue;
    expect([name, await outcome(() => run({ model, session, generation: undefined }))]).toEqual([
      name,
      'ERR_NEOX_DISPOSED',
    ]);
  }
  await model.dispose();
});

test('a generation that was made before dispose and read after it rejects', async () => {
  const { model, session } = await make('fresh');
  const late = [model.generate([1]), session.generate([1])];
  await Promise.all([model.dispose(), model.dispose()]);
  for (const generation of late) {
    await expect(generation.result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
  }
});

test('several loads share weights, and one outlives another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
  const file = join(folder, 'model.gguf');
  const logits = async (model: Model) => Array.from((await model.logits([1, 2, 3])).data);
  try {
    await convert(path, file);
    utimesSync(file, 1_000_000, 1_000_000);
    const a = await Model.load(file);
    const before = await logits(a);
    // Other weights under the same name, size and time: only a load that reads the file again can know.
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, bytes.length / 2));
    utimesSync(file, 1_000_000, 1_000_000);
    const reports: Progress[] = [];
    const b = await Model.load(file, { onProgress: (progress) => reports.push(progress) });
    expect(reports).toEqual([{ done: b.info.weightsBytes, total: b.info.weightsBytes }]);
    await a.dispose();
    expect(await logits(b)).toEqual(before);
    await b.dispose();
    const c = await Model.load(file);
    expect(await logits(c)).not.toEqual(before);
    await c.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('load', () => {
  test('an aborted signal ends it before it begins', async () => {
    const reason = new Error('no');
    await expect(Model.load(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('an abort while it runs rejects with the reason', async () => {
    const controller = new AbortController();
    const loading = Model.load(path, { signal: controller.signal });
    const reason = new Error('no');
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
  });

  test('what onProgress throws, it rejects with', async () => {
    const boom = new Error('boom');
    const onProgress = (): void => {
      throw boom;
    };
    await expect(Model.load(path, { onProgress })).rejects.toBe(boom);
  });

  test('progress ends at the total', async () => {
    const reports: { done: number; total: number }[] = [];
    const model = await Model.load(path, { onProgress: (progress) => reports.push(progress) });
    expect(reports.at(-1)?.done).toBe(reports.at(-1)?.total);
    await model.dispose();
  });

  test.each([
    ['a path that is not there', () => Model.load('no/such/model.gguf'), 'ERR_NEOX_FILE_NOT_FOUND'],
    ['a file that is no model', () => Model.load(__filename), 'ERR_NEOX_FORMAT_MAGIC'],
    ['a path of another type', () => Model.load(1 as never), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['an unknown option', () => Model.load(path, { thread: 1 } as never), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['too many threads', () => Model.load(path, { threads: 257 }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['an unknown type', () => Model.load(path, { type: 'Q9' as never }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['no room for one block', () => Model.load(path, { kvCacheBytes: 100 }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['a device that is not built in', () => Model.load(path, { device: 'cuda' }), 'ERR_NEOX_BACKEND'],
  ])('%s is an error', async (_, run, code) => {
    await expect(run()).rejects.toMatchObject({ code });
  });
});
