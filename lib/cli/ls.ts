// `neox ls`: the pulled repositories.

import { listModels } from '../index.js';
import type { CommandSpec } from './command.js';
import { bytes } from './values.js';

interface Options {
  cacheDir?: string;
  files?: boolean;
  json?: boolean;
}

export const ls: CommandSpec<Options> = {
  name: 'ls',
  summary: 'list the models that were pulled',
  options: [
    { flags: '--files', help: 'list their files, too' },
    { flags: '--cache-dir <folder>', help: 'where they are kept', defaultText: "Hugging Face's own cache" },
    { flags: '--json', help: 'print everything as one list' },
  ],
  examples: [{ command: 'neox ls' }, { command: 'neox ls --files --json' }],

  async run(_, { files, json, ...options }, { out, err }) {
    const models = listModels(options);
    if (json) await out.json(models);
    else if (models.length === 0)
      await err.line('neox: nothing was pulled yet; `neox pull owner/name` fetches a model');
    else {
      const rows = models.flatMap(({ repo, bytes: size, revisions }) => {
        // Revisions share files, so the size is the repository's. One whose download was interrupted has no revision yet.
        const [first = ['-', '-', '0'], ...rest] = revisions.map(({ commit, refs, files: { length } }) => [
          refs.join(', ') || '-',
          commit.slice(0, 12),
          String(length),
        ]);
        return [[repo, ...first, bytes(size)], ...rest.map((cells) => [repo, ...cells, ''])];
      });
      await out.table(['model', 'revision', 'commit', 'files', 'on disk'], rows);
      for (const { repo, revisions } of files ? models : []) {
        for (const revision of revisions) {
          await out.line();
          await out.line(`${repo} ${revision.path}`, 'bold');
          await out.table(
            ['', ''],
            revision.files.map(({ name, bytes: size }) => [name, bytes(size)]),
          );
        }
      }
    }
    return undefined;
  },
};
