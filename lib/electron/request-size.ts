// How much one request may hold. The engine takes its inputs apart on the host's only JavaScript thread, where every page waits.

import { types } from 'node:util';
import { ArgumentError } from '../index.js';
import { MAX_BREAKERS, MAX_BYTES, MAX_TEXT, MAX_VALUES } from './protocol.js';

/**
 * What repeats counts each time, as the engine would read it; so does what holds itself, until it is too much.
 * @throws ArgumentError that names the limit
 */
export function checkSize(request: Record<string, unknown>): void {
  let text = 0;
  let values = 0;
  let bytes = 0;
  const open: unknown[] = [request];
  const enter = (count: number, list: () => Iterable<unknown>): void => {
    values += count;
    if (values > MAX_VALUES) throw tooMuch(values, MAX_VALUES, 'list entries and fields');
    for (const value of list()) open.push(value);
  };
  const read = (value: string): void => {
    text += value.length;
    if (text > MAX_TEXT) throw tooMuch(text, MAX_TEXT, 'characters of text');
  };
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'string') read(value);
    if (typeof value !== 'object' || value === null) continue;
    if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
      bytes += value.byteLength;
      if (bytes > MAX_BYTES) throw tooMuch(bytes, MAX_BYTES, 'bytes of typed arrays');
    } else if (Array.isArray(value)) enter(value.length, () => value);
    else if (types.isMap(value)) enter(value.size, () => [...value.keys(), ...value.values()]);
    else if (types.isSet(value)) enter(value.size, () => value);
    else if (types.isStringObject(value)) read(value.valueOf());
    else {
      const keys = Object.keys(value);
      for (const key of keys) read(key);
      enter(keys.length, () => Object.values(value));
    }
  }
  const { drySequenceBreakers: breakers } = (request.options ?? {}) as Record<string, unknown>;
  if (Array.isArray(breakers) && breakers.length > MAX_BREAKERS) {
    throw tooMuch(breakers.length, MAX_BREAKERS, '`drySequenceBreakers`');
  }
}

function tooMuch(given: number, limit: number, what: string): ArgumentError {
  const least = given.toLocaleString('en');
  return new ArgumentError(
    `Expected at most ${limit.toLocaleString('en')} ${what} in a request but received ${least} or more.`,
  );
}
