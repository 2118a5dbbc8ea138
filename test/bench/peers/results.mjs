// What was measured: a file of one JSON object per run, failed ones too, which calls add to.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { StepError } from '../../../scripts/steps.mjs';

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
  const isCutOff = existsSync(path) && !/(^|\n)$/.test(readFileSync(path, 'latin1'));
  appendFileSync(path, `${isCutOff ? '\n' : ''}${JSON.stringify(record)}\n`);
}

/** `{ error }` as a record tells it; an error that neither a file nor an engine is to blame for is thrown again. */
export function failureOf(error) {
  if (error instanceof StepError || error.code?.startsWith('ERR_NEOX')) return { error: error.message };
  throw error;
}

const SETTINGS = ['shape', 'layers', 'threads', 'prompt', 'gen', 'depth'];

/** Whether a record belongs to a run with these options. */
export function fits(record, options) {
  return SETTINGS.every((name) => record[name] === options[name]);
}

export const settingsOf = (options) => Object.fromEntries(SETTINGS.map((name) => [name, options[name]]));

/**
 * The records that stand beside each other: of each type those of the newest series, which is one build of this project on one
 * machine, and of each peer there those of its newest version. A host changes by the hour, so runs of other series are not compared.
 */
export function newestSeries(records) {
  const series = ({ commit, machine }) => JSON.stringify([commit, machine]);
  const newest = new Map();
  for (const record of records) newest.set(record.type, series(record));
  const inSeries = records.filter((record) => newest.get(record.type) === series(record));
  const version = new Map();
  const key = ({ peer, type }) => `${peer} ${type}`;
  for (const record of inSeries) version.set(key(record), record.probe);
  return inSeries.filter((record) => version.get(key(record)) === record.probe);
}

/** The runs of a peer on a type that came to an end. */
export function runsOf(records, peer, type) {
  return records.filter((record) => record.peer === peer && record.type === type && !record.error);
}

/** Of each peer and type the last failure that no later run made good. */
export function failuresOf(records) {
  const last = new Map();
  for (const record of records) last.set(`${record.peer} ${record.type}`, record);
  return [...last.values()].filter(({ error }) => error);
}
