// Every argument error is made here: "Expected X for `name` but received Z of type T."

import { ArgumentError } from './errors.js';
import type { IntegerArray, TokenIds } from './types.js';

/** The largest id that the engine can hold. */
export const MAX_TOKEN_ID = 0x7fffffff;

/** @throws {@link ArgumentError} unless `value` is an integer from `min` to `max`. */
export function assertInteger(
  name: string,
  value: unknown,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw unexpected(`an integer${range(min, max)}`, name, value);
}

/** @throws {@link ArgumentError} unless `value` is a finite number from `min` to `max`. */
export function assertNumber(
  name: string,
  value: unknown,
  min: number = -Number.MAX_VALUE,
  max: number = Number.MAX_VALUE,
): asserts value is number {
  if (Number.isFinite(value) && (value as number) >= min && (value as number) <= max) return;
  throw unexpected(`a number${range(min, max)}`, name, value);
}

/** @throws {@link ArgumentError} unless `value` is a boolean. */
export function assertBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw unexpected('a boolean', name, value);
}

/** @throws {@link ArgumentError} unless `value` is a string. */
export function assertString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw unexpected('a string', name, value);
}

/**
 * For text that is to be encoded: half of a surrogate pair is no character, so UTF-8 cannot spell it.
 * @throws {@link ArgumentError} unless `value` is a string without lone surrogates.
 */
export function assertText(name: string, value: unknown): asserts value is string {
  assertString(name, value);
  const at = value.search(/\p{Surrogate}/u);
  if (at < 0) return;
  const unit = value.charCodeAt(at).toString(16).toUpperCase();
  throw new ArgumentError(
    `Expected text for \`${name}\` but received a lone surrogate (U+${unit}) at index ${at}; toWellFormed() replaces them.`,
  );
}

/** @throws {@link ArgumentError} unless `value` is a string that can name a file. */
export function assertPath(name: string, value: unknown): asserts value is string {
  assertString(name, value);
  if (value === '' || value.includes('\0')) throw unexpected('the path of a file', name, value);
}

/** @throws {@link ArgumentError} unless `value` is one of `choices`. */
export function assertOneOf<T extends string>(
  name: string,
  value: unknown,
  choices: readonly T[],
): asserts value is T {
  if ((choices as readonly unknown[]).includes(value)) return;
  const hint = typeof value === 'string' ? didYouMean(value, choices) : '';
  throw unexpected(choices.map((choice) => `'${choice}'`).join(' or '), name, value, hint);
}

/** @throws {@link ArgumentError} unless `value` is a function. */
export function assertFunction(name: string, value: unknown): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function') throw unexpected('a function', name, value);
}

/** @throws {@link ArgumentError} unless `value` is an AbortSignal, of whatever realm. */
export function assertSignal(name: string, value: unknown): asserts value is AbortSignal {
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (typeof signal === 'object' && signal !== null && typeof signal.aborted === 'boolean') {
    if (typeof signal.addEventListener === 'function') return;
  }
  throw unexpected('an AbortSignal', name, value);
}

/** @throws {@link ArgumentError} unless `value` is an object that is neither an array nor null. */
export function assertObject(name: string, value: unknown): asserts value is Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw unexpected('an object', name, value);
}

/**
 * @param where - what takes the options, as it would be called: `Model.load`
 * @throws {@link ArgumentError} when `options` is not an object or has a key that is not in `known`.
 */
export function assertKnownOptions(where: string, options: unknown, known: readonly string[]): void {
  assertObject(`options of ${where}`, options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new ArgumentError(`Unknown option \`${key}\` for ${where}.${didYouMean(key, known)}`);
  }
}

/** Whether `value` is an array or a typed array of integers: something of a length that its memory backs. */
export function isList(value: unknown): value is readonly unknown[] | IntegerArray {
  if (Array.isArray(value)) return true;
  return ArrayBuffer.isView(value) && /^\[object U?[Ii]nt(8|8Clamped|16|32)Array\]$/.test(tagOf(value));
}

/** @throws {@link ArgumentError} unless `value` is a Float32Array, of whatever realm. */
export function assertFloat32Array(name: string, value: unknown): asserts value is Float32Array {
  if (ArrayBuffer.isView(value) && tagOf(value) === '[object Float32Array]') return;
  throw unexpected('a Float32Array', name, value);
}

/** @throws {@link ArgumentError} unless `value` is a list of integers from 0 to `max`. */
export function assertTokenIds(
  name: string,
  value: unknown,
  max: number = MAX_TOKEN_ID,
): asserts value is TokenIds {
  if (!isList(value)) throw unexpected('a list of token ids', name, value);
  for (let i = 0; i < value.length; i++) {
    if (!isTokenId(value[i], max)) assertInteger(`${name}[${i}]`, value[i], 0, max);
  }
}

function isTokenId(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value);
}

/** The error of all checks, for checks of a caller's own. */
export function unexpected(expected: string, name: string, value: unknown, hint = ''): ArgumentError {
  return new ArgumentError(
    `Expected ${expected} for \`${name}\` but received ${show(value)} of type ${typeOf(value)}.${hint}`,
  );
}

function range(min: number, max: number): string {
  const low = min > Number.MIN_SAFE_INTEGER;
  const high = max < Number.MAX_SAFE_INTEGER;
  if (low && high) return ` from ${min} to ${max}`;
  if (low) return ` of at least ${min}`;
  return high ? ` of at most ${max}` : '';
}

function show(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > 60 ? `'${value.slice(0, 60)}' (${value.length} characters)` : `'${value}'`;
  }
  if (typeof value === 'function') return value.name || 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return `a list of ${(value as { length?: number }).length ?? value}`;
  }
  if (typeof value === 'object' && value !== null) return `an instance of ${typeOf(value)}`;
  return String(value);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'object';
}

/** " Did you mean `x`?" where a candidate is at most a third of its letters away, else nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const cost = editDistance(normalize(word), normalize(candidate));
    if (cost < least) [best, least] = [candidate, cost];
  }
  return best !== undefined && least <= Math.max(1, best.length / 3) ? ` Did you mean \`${best}\`?` : '';
}

// max_new_tokens and MaxNewTokens are as near to maxNewTokens as can be.
function normalize(word: string): string {
  return word.slice(0, 64).replace(/[_-]/g, '').toLowerCase();
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
