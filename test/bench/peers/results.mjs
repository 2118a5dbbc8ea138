// What was measured: a file of one JSON object per run, which calls add to.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** All records; a line that was cut off by a crash is skipped. */
export function readResults(path) {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

export function addResult(path, record) {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${JSON.stringify(record)}\n`);
}

const SETTINGS = ['shape', 'layers', 'threads', 'prompt', 'gen', 'depth'];

/** Whether a record belongs to a run with these options. */
export function fits(record, options) {
  return SETTINGS.every((name) => record[name] === options[name]);
}

export const settingsOf = (options) => Object.fromEntries(SETTINGS.map((name) => [name, options[name]]));

/** Of the values that are there; null without any. */
export function median(values) {
  const sorted = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The runs of a peer on a type: those of its newest version alone. */
export function runsOf(records, peer, type) {
  const own = records.filter((record) => record.peer === peer && record.type === type && !record.error);
  const newest = own.at(-1);
  return own.filter(({ probe, commit }) => probe === newest?.probe && commit === newest?.commit);
}
