// Every method in every state of a model: fresh, while another load runs, generating, aborted, disposed. What workers end in
// the middle of is lifecycle-workers.test.ts's.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DecodeStream } from '../../lib/decode-stream.js';
import * as neox from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';
import { methods, type State, type Subject, states } from './lifecycle-methods.js';

const { Generation, Model, NeoxError, Sampler, Session, Tokenizer } = neox;
const greedy = { eosTokenId: null, temperature: 0 };
const folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
const gguf = join(folder, 'tiny.gguf');
const saved = join(folder, 'saved.session');
let outputs = 0;

beforeAll(async () => {
  await neox.synth(gguf, { shape: 'tiny', type: 'Q8_0' });
  const model = await load();
  const session = model.createSession();
  await session.generate([1, 2, 3], { ...greedy, maxNewTokens: 3 }).result();
  await session.save(saved);
  await model.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = () => Model.load(gguf, { chatFormat: 'rinna-bilingual', threads: 1 });

/** A subject in a state, and what ends what was begun for it. */
async function make(state: State): Promise<[Subject, () => Promise<void>]> {
  const model = await load();
  const session = model.createSession();
  const controller = new AbortController();
  // More than a ring of 128 holds after it was emptied once, so that it is still running whenever it is looked at.
  const options = { ...greedy, maxNewTokens: 400, signal: controller.signal };
  const generation = session.generate([1, 2], options);
  const tokenizer = model.tokenizer;
  const subject: Subject = {
    ...{ neox, model, session, generation, tokenizer, gguf, saved },
    stream: tokenizer.createDecodeStream(),
    sampler: new Sampler({ temperature: 1, seed: 1 }),
    few: { ...greedy, maxNewTokens: 3 },
    checkpoint: checkpointPath('sequential-erf'),
    output: join(folder, `output-${outputs++}`),
  };
  const others = state === 'loading' ? [load(), Model.load(subject.checkpoint)] : [];
  if (state === 'disposed') await model.dispose();
  if (state === 'generating' || state === 'aborted') {
    const iterator = generation[Symbol.asyncIterator]();
    await iterator.next();
    if (state === 'aborted') {
      controller.abort();
      await expect(iterator.next()).rejects.toBe(controller.signal.reason);
    }
  }
  const end = async (): Promise<void> => {
    for (const other of others) await (await other).dispose();
    await model.dispose();
  };
  return [subject, end];
}

// 'ok', the code of the error, or the name of one that is not ours; thrown at once or when read.
async function outcome(run: () => unknown): Promise<string> {
  try {
    const value = run();
    await (value instanceof Generation ? value.result() : value);
    return 'ok';
  } catch (error) {
    return error instanceof NeoxError ? error.code : (error as Error).name;
  }
}

// Versions of Node describe these symbols in their own ways.
function symbolName(symbol: symbol): string {
  if (symbol === Symbol.dispose) return '[Symbol.dispose]';
  return symbol === Symbol.asyncDispose ? '[Symbol.asyncDispose]' : `[${symbol.description}]`;
}

function namesOf(owner: string, object: object, without: string[]): string[] {
  return Reflect.ownKeys(object)
    .filter((key) => !without.includes(key as string))
    .map((key) => `${owner}.${typeof key === 'symbol' ? symbolName(key) : key}`);
}

test('every method of the public API is in the table, and nothing else', () => {
  const prototypes = {
    ...{ model: Model, session: Session, generation: Generation },
    ...{ tokenizer: Tokenizer, stream: DecodeStream, sampler: Sampler },
  };
  const names: string[] = ['new Sampler'];
  for (const [owner, Class] of Object.entries(prototypes)) {
    names.push(...namesOf(owner, Class.prototype, ['constructor']));
    names.push(...namesOf(Class.name, Class, ['length', 'name', 'prototype']));
  }
  for (const [name, value] of Object.entries(neox)) {
    const isClass = typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
    if (typeof value === 'function' && !isClass) names.push(name);
  }
  expect(Object.keys(methods).sort()).toEqual(names.sort());
});

describe.each(states)('%s', (state) => {
  test.each(Object.entries(methods))('%s', async (name, { run, ends }) => {
    const [subject, end] = await make(state);
    try {
      expect(await outcome(() => run(subject))).toBe(ends?.[state] ?? 'ok');
      if (state !== 'generating') return;
      // What was running goes on, unless the method has ended it.
      const owner = name.split('.')[0] as string;
      const disposes = /ispose\]?$/.test(name) && (owner === 'model' || owner === 'session');
      const expected = disposes ? 'ERR_NEOX_DISPOSED' : name === 'generation.abandon' ? 'Error' : 'ok';
      expect(await outcome(() => subject.generation)).toBe(expected);
    } finally {
      await end();
    }
  });
});

test('a disposed session refuses everything but dispose', async () => {
  const [subject, end] = await make('fresh');
  subject.session.dispose();
  subject.session.dispose();
  for (const [name, { run }] of Object.entries(methods)) {
    if (!name.startsWith('session.') || /ispose\]?$/.test(name)) continue;
    expect([name, await outcome(() => run(subject))]).toEqual([name, 'ERR_NEOX_DISPOSED']);
  }
  await end();
});

test('a generation that was made before dispose and read after it rejects', async () => {
  const [{ model, session }, end] = await make('fresh');
  const late = [model.generate([1]), session.generate([1])];
  await Promise.all([model.dispose(), model.dispose()]);
  for (const generation of late) {
    await expect(generation.result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
  }
  await end();
});
