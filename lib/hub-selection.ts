// Which files of a repository are fetched.

import { ArgumentError, HubError } from './errors.js';
import type { HubFile } from './hub-api.js';

type Matcher = (name: string) => boolean;

/** Configuration, tokenizer and licence of a checkpoint. */
const TEXTS =
  /^(?:[\w.-]+\.json|[\w.-]+\.model|merges\.txt|vocab\.txt|README\.md|LICEN[CS]E[\w.-]*|NOTICE[\w.-]*)$/i;
// One set of weights is enough, in this order.
const WEIGHTS = [
  /^model\.safetensors$/,
  /^model-\d+-of-\d+\.safetensors$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model-\d+-of-\d+\.bin$/,
];
const MOST_WILDCARDS = 20; // more of them make a pattern slow, not useful

interface Choice {
  repo: string;
  part?: string | undefined;
  include: readonly string[];
  exclude: readonly string[];
}

/**
 * By default what loading needs: the texts and one set of weights, or the only .gguf file.
 * @param part - a file's name, or a part of names in any case, instead of patterns
 * @param include - patterns of names, `*` and `?` and `{a,b}`; what they match, all of it
 * @throws HubError when nothing fits, naming what there is
 */
export function chooseFiles(files: readonly HubFile[], { repo, part, include, exclude }: Choice): HubFile[] {
  const isExcluded = matcher(exclude);
  const offered = files.filter(({ path }) => !isExcluded(path));
  const chosen =
    part !== undefined
      ? named(offered, part)
      : include.length > 0
        ? filter(offered, matcher(include))
        : usual(offered, repo);
  if (chosen.length > 0) return chosen;
  const names = files.map(({ path }) => path);
  const shown = names.slice(0, 20).join(', ') + (names.length > 20 ? `, and ${names.length - 20} more` : '');
  throw new HubError('ERR_NEOX_HUB', `Nothing of ${repo} fits; it has ${shown || 'no files'}.`);
}

function named(files: readonly HubFile[], part: string): HubFile[] {
  const exact = filter(files, (name) => name === part);
  if (exact.length > 0) return exact;
  return filter(files, (name) => name.toLowerCase().includes(part.toLowerCase()));
}

function usual(files: readonly HubFile[], repo: string): HubFile[] {
  const texts = filter(files, (name) => TEXTS.test(name));
  for (const pattern of WEIGHTS) {
    const weights = filter(files, (name) => pattern.test(name));
    if (weights.length > 0) return [...texts, ...weights];
  }
  const ggufs = filter(files, (name) => name.endsWith('.gguf'));
  if (ggufs.length > 1) {
    const names = ggufs.map(({ path }) => path).join(', ');
    throw new HubError(
      'ERR_NEOX_HUB',
      `${repo} holds ${names}; say which by adding :name, or a part of a name.`,
    );
  }
  return ggufs.length === 1 ? [...filter(texts, (name) => /^(?:README|LICEN)/i.test(name)), ...ggufs] : [];
}

function filter(files: readonly HubFile[], matches: Matcher): HubFile[] {
  return files.filter(({ path }) => matches(path));
}

function matcher(patterns: readonly string[]): Matcher {
  if (patterns.length === 0) return () => false;
  for (const pattern of patterns) {
    if ((pattern.match(/[*?[{(!+@]/g) ?? []).length > MOST_WILDCARDS) {
      throw new ArgumentError(
        `The pattern '${pattern.slice(0, 100)}' has more than ${MOST_WILDCARDS} wildcards.`,
      );
    }
  }
  const picomatch = require('picomatch') as typeof import('picomatch');
  // As in Python's fnmatch, * goes through folders: patterns for either tool mean the same.
  const matchers = patterns.map((pattern) => picomatch(pattern, { bash: true, dot: true, nonegate: true }));
  return (name) => matchers.some((matches) => matches(name));
}
