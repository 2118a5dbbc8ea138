// What the command lines of this folder have in common.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../../../scripts/steps.mjs';

/**
 * Values by name: of `text` a string or undefined, of `lists` the strings that were given, of `switches` whether it was given.
 * @throws UsageError for another option, an option without its value, or an argument
 */
export function parseFlags(args, command, { text, lists = [], switches = [] }) {
  const flags = [
    ...text.map((name) => [name, { type: 'string' }]),
    ...lists.map((name) => [name, { type: 'string', multiple: true, default: [] }]),
    ...switches.map((name) => [name, { type: 'boolean', default: false }]),
  ];
  try {
    return parseArgs({ args, options: Object.fromEntries(flags) }).values;
  } catch ({ message }) {
    throw new UsageError(`${message}\n${command} -- --help lists the options.`);
  }
}

/** @throws UsageError */
export function count(flag, text, least, most = 1 << 20) {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${flag} takes a whole number from ${least} to ${most}, not '${text}'.`);
}

/** `a,b`: names of a list, each once, in upper or lower case. */
export function names(flag, text, known) {
  const found = text.split(',').map((part) => {
    const name = known.find((each) => each.toLowerCase() === part.trim().toLowerCase());
    if (name !== undefined) return name;
    throw new UsageError(`${flag} takes a list of ${known.join(', ')}; '${part}' is none of them.`);
  });
  return [...new Set(found)];
}

/** Where a page can be written, which is found out before anything is measured. @throws UsageError */
export function pagePath(path) {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch ({ message }) {
    throw new UsageError(`--page: its folder cannot be written to: ${message}`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--page takes a file; '${path}' is a folder.`);
  return path;
}

/** What each --with says, by the peer's name. */
export function readPaths(list, known) {
  return new Map(
    list.map((text) => {
      const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (path === undefined) throw new UsageError(`--with takes <peer>=<path>, not '${text}'.`);
      return [names('--with', name, known)[0], path];
    }),
  );
}
