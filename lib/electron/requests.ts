// Requests as they arrive: a page is not trusted, so its messages are anything until they were looked at. What the engine takes
// (messages, prompts and options) is checked by the engine's own API, but for how much of it there may be.

import { ArgumentError } from '../index.js';
import type { Request } from './protocol.js';
import { MAX_CREDIT } from './protocol.js';
import { checkSize } from './request-size.js';

type Fields = Record<string, unknown>;
type Check = (fields: Fields) => void;

const target: Check = (fields) => {
  if (!isId(fields.target)) throw unexpected('the id of a model or session', 'target', fields.target);
};
const model: Check = (fields) => {
  if (typeof fields.model !== 'string') throw unexpected('the id of a model', 'model', fields.model);
};
const count =
  (name: string): Check =>
  (fields) => {
    const value = fields[name];
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_CREDIT) return;
    throw unexpected(`an integer from 1 to ${MAX_CREDIT}`, name, value);
  };
const generation: Check = (fields) => {
  target(fields);
  count('credit')(fields);
};

const checks: Record<Request['type'], Check> = {
  models: () => undefined,
  inspect: model,
  load: model,
  createSession: target,
  chat: generation,
  generate: generation,
  dispose: target,
  credit: count('chunks'),
  cancel: () => undefined,
};

/** The id of a request; undefined for a message that is none. */
export function requestId(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { id, type } = data as Fields;
  return isId(id) && typeof type === 'string' && Object.hasOwn(checks, type) ? id : undefined;
}

/**
 * A message that has a `requestId`, checked.
 * @throws ArgumentError
 */
export function checkRequest(data: unknown): Request {
  const fields = data as Fields;
  checks[fields.type as Request['type']](fields);
  checkSize(fields);
  return fields as unknown as Request;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function unexpected(expected: string, name: string, value: unknown): ArgumentError {
  const given = typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value;
  return new ArgumentError(`Expected ${expected} for \`${name}\` of a request but received ${given}.`);
}
