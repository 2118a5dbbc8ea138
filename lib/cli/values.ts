// Readers of option values, and writers of numbers for people.

import { UsageError } from './exit-codes.js';

export function integer(min = 0, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new UsageError(`Expected an integer ${range}.`);
  };
}

export function number(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new UsageError('Expected a number.');
}

/** `128,512`. */
export function integers(min: number): (text: string) => number[] {
  const one = integer(min);
  return (text) => text.split(',').map((part) => one(part.trim()));
}

/** A comma-separated list of token ids, or `none`. */
export function idsOrNone(text: string): number | number[] | null {
  if (text === 'none') return null;
  const ids = integers(0)(text);
  return ids.length === 1 ? (ids[0] as number) : ids;
}

/** `5=-100,7=1.5`. */
export function numbersById(text: string): Map<number, number> {
  const id = integer(0);
  return new Map(
    text.split(',').map((part) => {
      const [left = '', right = '', ...rest] = part.split('=');
      if (rest.length > 0) throw new UsageError('Expected id=number, comma-separated.');
      return [id(left.trim()), number(right)];
    }),
  );
}

/** When a beam search ends. */
export function earlyStopping(text: string): boolean | 'never' {
  if (text === 'never') return text;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new UsageError('Expected true, false or never.');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(2)} ${BYTE_UNITS[unit]}`;
}

/** 3.61 B, 4.2 M, 128. */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} B`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return value >= 1e3 ? `${(value / 1e3).toFixed(2)} K` : String(value);
}

/** Three significant digits and more: 1234, 56.8, 1.23. */
export function rate(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

export function milliseconds(value: number): string {
  return value >= 1000 ? `${rate(value / 1000)} s` : `${rate(value)} ms`;
}
