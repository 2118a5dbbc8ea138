// The addon's raw exports against their declarations, and misuse that must be an error and not a crash.

import { demoModelPath } from '../../lib/demo.js';
import { ERROR_CODES, fromNative, NeoxError } from '../../lib/errors.js';
import { FILE_TYPES } from '../../lib/file-types.js';
import { NATIVE_EXPORTS, type NativeCall, type NativeSession, native } from '../../lib/native.js';
import { SYNTH_SHAPES } from '../../lib/synth.js';
import { checkpointPath } from '../integration/fixtures.js';

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return (error as { code?: unknown }).code ?? (error as Error).name;
  }
  return 'no error';
}

test('the exported names are those that native.ts declares', () => {
  expect(Object.keys(native()).sort()).toEqual([...NATIVE_EXPORTS].sort());
});

test('the error codes are those that errors.ts declares, in the same order', () => {
  expect(native().errorCodes).toEqual([...ERROR_CODES]);
});

test('the shapes are those that synth.ts declares', () => {
  expect(native().synthShapes()).toEqual([...SYNTH_SHAPES]);
  expect(native().fileTypes()).toEqual([...FILE_TYPES]);
});

test('a native error becomes a NeoxError with its code and cause', async () => {
  const reason: unknown = await native().loadTokenizer('no such file').catch(fromNative);
  expect(reason).toBeInstanceOf(NeoxError);
  expect((reason as NeoxError).code).toBe('ERR_NEOX_FILE_NOT_FOUND');
  expect((reason as NeoxError).message).toContain('no such file');
  expect((reason as NeoxError).cause).toBeDefined();
});

describe('with a model', () => {
  const load = () => native().loadModel(checkpointPath('sequential-erf'), {}).promise;
  let model: Awaited<ReturnType<typeof load>>;
  let session: NativeSession;
  let call: NativeCall;

  beforeAll(async () => {
    model = await load();
    session = model.createSession();
    call = model.submit({ prompt: [{ ids: Int32Array.of(1, 2) }], maxNewTokens: 1 });
  });

  afterAll(async () => {
    call.release();
    await model.dispose();
  });

  test.each([
    'loadModel',
    'loadTokenizer',
    'createSampler',
    'inspect',
    'setOnWake',
    'convert',
    'quantize',
    'synth',
  ] as const)('%s refuses missing arguments', (name) => {
    const run = native()[name] as (...values: unknown[]) => unknown;
    expect(codeOf(() => run())).toBe('ERR_NEOX_INVALID_ARGUMENT');
  });

  test.each([
    ['no prompt', {}],
    ['a prompt of numbers', { prompt: [1, 2] }],
    ['ids of another type', { prompt: [{ ids: [1, 2] }] }],
    ['floats as ids', { prompt: [{ ids: Float32Array.of(1) }] }],
    ['a negative id', { prompt: [{ ids: Int32Array.of(-1) }] }],
    ['an id behind the vocabulary', { prompt: [{ ids: Int32Array.of(128) }] }],
    ['embeddings that are no whole row', { prompt: [{ embeddings: new Float32Array(63) }] }],
    ['an embedding that is NaN', { prompt: [{ embeddings: new Float32Array(64).fill(Number.NaN) }] }],
    ['a session that is none', { prompt: [], session: {} }],
    ['a call as a session', { prompt: [], session: 'call' }],
    ['a ring of 0', { prompt: [{ ids: Int32Array.of(1) }], maxNewTokens: 1, ringCapacity: 0 }],
    ['positions that fall', { prompt: [{ ids: Int32Array.of(1, 2) }], logitsAt: Int32Array.of(1, 0) }],
    [
      'a seed that is no integer',
      { prompt: [{ ids: Int32Array.of(1) }], maxNewTokens: 1, sampler: { seed: 0.5 } },
    ],
  ])('submit refuses %s', (_, request: object) => {
    const given =
      'session' in request && request.session === 'call' ? { ...request, session: call } : request;
    expect(codeOf(() => model.submit(given as never))).toBe('ERR_NEOX_INVALID_ARGUMENT');
  });

  test('a method borrowed by another object is refused', async () => {
    const { pieces } = await native().loadTokenizer(demoModelPath());
    const objects = [model, session, call, native().createSampler({}), pieces as object];
    for (const owner of objects) {
      const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(owner));
      for (const [name, { value, get, set }] of Object.entries(members)) {
        if (name === 'constructor') continue;
        // An accessor would not know whose object it is called on.
        expect([name, get, set]).toEqual([name, undefined, undefined]);
        for (const receiver of [...objects.filter((object) => object !== owner), {}, null, 1]) {
          expect([name, codeOf(() => value.call(receiver))]).toEqual([name, 'TypeError']);
        }
      }
    }
  });

  test('classes cannot be constructed', () => {
    for (const object of [model, session, call, native().createSampler({})]) {
      const Class = object.constructor as new (...values: unknown[]) => unknown;
      expect(codeOf(() => new Class())).toBe('TypeError');
      expect(codeOf(() => new Class(model))).toBe('TypeError');
      expect(codeOf(() => Reflect.construct(Object, [], Class))).toBe('no error');
    }
    const fake = Reflect.construct(Object, [], model.constructor as never) as typeof model;
    expect(codeOf(() => fake.createSession())).toBe('TypeError');
  });

  test('a released call is an error', () => {
    const other = model.submit({ prompt: [{ ids: Int32Array.of(1) }], maxNewTokens: 1 });
    other.release();
    other.release();
    expect(codeOf(() => other.drain())).toBe('ERR_NEOX_DISPOSED');
  });

  test('scores that nobody awaits are an error', () => {
    const prompt = [{ ids: Int32Array.of(1) }];
    const paused = model.submit({ prompt, maxNewTokens: 9, ringCapacity: 1 });
    expect(codeOf(() => paused.submitScores(new Float32Array(128)))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    expect(codeOf(() => paused.scores())).toBe('ERR_NEOX_INVALID_ARGUMENT');
    paused.release();
  });

  test("a session of another model's is refused", async () => {
    const other = await load();
    try {
      expect(codeOf(() => other.submit({ prompt: [{ ids: Int32Array.of(1) }], session }))).toBe(
        'ERR_NEOX_INVALID_ARGUMENT',
      );
    } finally {
      await other.dispose();
    }
  });
});
