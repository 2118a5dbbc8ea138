// `neox rm`: pulled repositories off the disk.

import { removeModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { bytes } from './values.js';

interface Options {
  cacheDir?: string;
}

export const rm: CommandSpec<Options> = {
  name: 'rm',
  summary: 'remove a pulled model from the cache',
  arguments: [{ syntax: '<names...>', help: 'owner/name, or owner/name@revision for one revision of it' }],
  options: [
    { flags: '--cache-dir <folder>', help: 'where it is kept', defaultText: "Hugging Face's own cache" },
  ],
  examples: [
    { command: 'neox rm rinna/japanese-gpt-neox-3.6b' },
    { command: 'neox rm rinna/japanese-gpt-neox-3.6b@main', note: 'other revisions stay' },
  ],

  async run(names, options, { err }) {
    for (const name of names) {
      const freed = await removeModel(name, options);
      await err.line(`neox: removed ${name}, ${bytes(freed)} freed`);
    }
    return undefined;
  },
};
