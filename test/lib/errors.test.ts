import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ArgumentError,
  ContextFullError,
  createError,
  DisposedError,
  ERROR_CODES,
  FormatError,
  fromNative,
  LoadError,
  NeoxError,
} from '../../lib/errors';

test('the codes are those of the core, in its order', () => {
  const header = readFileSync(join(__dirname, '../../native/base/error.h'), 'utf8');
  const list = header.slice(
    header.indexOf('#define NEOX_ERROR_CODES'),
    header.indexOf('enum class ErrorCode'),
  );
  expect(Array.from(list.matchAll(/"(ERR_NEOX_\w+)"/g), (match) => match[1])).toEqual([...ERROR_CODES]);
});

test.each([
  ['ERR_NEOX_FORMAT_MAGIC', FormatError],
  ['ERR_NEOX_FORMAT_SYNTAX', FormatError],
  ['ERR_NEOX_CONTEXT_FULL', ContextFullError],
  ['ERR_NEOX_KV_FULL', ContextFullError],
  ['ERR_NEOX_DISPOSED', DisposedError],
  ['ERR_NEOX_INVALID_ARGUMENT', ArgumentError],
  ['ERR_NEOX_ADDON', LoadError],
  ['ERR_NEOX_NAN', NeoxError],
] as const)('%s has its class', (code, Class) => {
  const error = createError(code, 'what, where and the value');
  expect(error).toBeInstanceOf(Class);
  expect(error).toBeInstanceOf(NeoxError);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code, name: Class.name, message: 'what, where and the value' });
  expect(String(error)).toBe(`${Class.name}: what, where and the value`);
});

test('fromNative wraps what has a code of the core and leaves the rest', () => {
  const native = Object.assign(new Error('tensor x is short'), { code: 'ERR_NEOX_FORMAT_TRUNCATED' });
  const wrapped = fromNative(native) as FormatError;
  expect(wrapped).toBeInstanceOf(FormatError);
  expect(wrapped).toMatchObject({
    code: 'ERR_NEOX_FORMAT_TRUNCATED',
    message: 'tensor x is short',
    cause: native,
  });
  expect(fromNative(wrapped)).toBe(wrapped);
  // As an addon throws them: of another realm, or no errors at all.
  expect(fromNative({ code: 'ERR_NEOX_BUSY', message: 'busy' })).toBeInstanceOf(NeoxError);
  for (const other of [
    new Error('x'),
    { code: 'ENOENT' },
    { code: 'ERR_NEOX_ADDON' },
    'text',
    null,
    undefined,
  ]) {
    expect(fromNative(other)).toBe(other);
  }
});
