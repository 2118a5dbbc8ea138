import { ArgumentError } from '../../lib/errors';
import {
  assertBoolean,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertSignal,
  assertString,
} from '../../lib/validate';

const message = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ArgumentError) || error.code !== 'ERR_NEOX_INVALID_ARGUMENT') throw error;
    return error.message;
  }
  return 'no error';
};

test('numbers', () => {
  expect(message(() => assertInteger('n', 3, 1, 3))).toBe('no error');
  expect(message(() => assertInteger('threads', 0, 1, 256))).toBe(
    'Expected an integer from 1 to 256 for `threads` but received 0 of type number.',
  );
  expect(message(() => assertInteger('n', 1.5, 1))).toBe(
    'Expected an integer of at least 1 for `n` but received 1.5 of type number.',
  );
  for (const value of ['3', 3n, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, [3], {}]) {
    expect(message(() => assertInteger('n', value))).toContain('Expected an integer for `n`');
    expect(message(() => assertNumber('n', value, 0, 1))).toContain('Expected a number from 0 to 1 for `n`');
  }
  expect(message(() => assertInteger('n', 3n))).toContain('3n of type bigint');
  expect(message(() => assertNumber('n', 0.5, 0, 1))).toBe('no error');
  expect(message(() => assertNumber('n', -1, undefined, -2))).toContain('a number of at most -2');
});

test('other types', () => {
  expect(message(() => assertBoolean('on', 'yes'))).toBe(
    "Expected a boolean for `on` but received 'yes' of type string.",
  );
  expect(message(() => assertString('text', null))).toBe(
    'Expected a string for `text` but received null of type null.',
  );
  expect(message(() => assertString('text', new Map()))).toContain('an instance of Map of type Map');
  expect(message(() => assertString('text', new Float32Array(3)))).toContain(
    'a list of 3 of type Float32Array',
  );
  expect(message(() => assertBoolean('on', 'x'.repeat(1000)))).toContain('(1000 characters)');
  expect(message(() => assertFunction('onProgress', 1))).toContain('a function for `onProgress`');
  expect(message(() => assertFunction('onProgress', () => 1))).toBe('no error');
  expect(message(() => assertObject('o', []))).toContain('an object for `o`');
  expect(message(() => assertObject('o', Object.create(null)))).toBe('no error');
  expect(message(() => assertSignal('signal', new AbortController().signal))).toBe('no error');
  for (const value of [{}, null, { aborted: true }, new AbortController()]) {
    expect(message(() => assertSignal('signal', value))).toContain('an AbortSignal for `signal`');
  }
});

test('choices', () => {
  expect(message(() => assertOneOf('device', 'cpu', ['cpu', 'cuda']))).toBe('no error');
  expect(message(() => assertOneOf('device', 'cudo', ['cpu', 'cuda']))).toBe(
    "Expected 'cpu' or 'cuda' for `device` but received 'cudo' of type string. Did you mean `cuda`?",
  );
  expect(message(() => assertOneOf('device', 3, ['cpu']))).not.toContain('Did you mean');
});

test('unknown options', () => {
  const known = ['maxNewTokens', 'temperature', 'topK', 'topP'];
  const unknown = (key: string): string => message(() => assertKnownOptions('generate', { [key]: 1 }, known));
  expect(unknown('topK')).toBe('no error');
  expect(unknown('max_new_tokens')).toBe(
    'Unknown option `max_new_tokens` for generate. Did you mean `maxNewTokens`?',
  );
  expect(unknown('temprature')).toContain('Did you mean `temperature`?');
  expect(unknown('topk')).toContain('Did you mean `topK`?');
  expect(unknown('stream')).toBe('Unknown option `stream` for generate.');
  expect(unknown('x'.repeat(10_000))).toContain('Unknown option');
  expect(message(() => assertKnownOptions('generate', 'topK', known))).toContain('`options of generate`');
  expect(message(() => assertKnownOptions('generate', null, known))).toContain('received null');
});
