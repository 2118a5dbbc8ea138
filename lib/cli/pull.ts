// `neox pull`: a repository of the hub into the local cache.

import { pull as pullModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { withProgress } from './progress.js';
import { bytes } from './values.js';

interface Options {
  revision?: string;
  include?: string[];
  exclude?: string[];
  endpoint?: string;
  cacheDir?: string;
  offline?: boolean;
  json?: boolean;
}

export const pull: CommandSpec<Options> = {
  name: 'pull',
  summary: 'fetch a model from the hub; its name then works wherever a path does',
  arguments: [
    { syntax: '<name>', help: 'owner/name, owner/name@revision or owner/name:part-of-a-file-name' },
  ],
  options: [
    { flags: '--revision <revision>', help: 'a branch, a tag or a commit', defaultText: 'main' },
    {
      flags: '--include <pattern>',
      help: 'files to fetch; may be repeated',
      defaultText: 'texts and one set of weights, or the only .gguf file',
      repeats: true,
    },
    { flags: '--exclude <pattern>', help: 'files to leave out; may be repeated', repeats: true },
    { flags: '--endpoint <url>', help: 'another hub, or a mirror', defaultText: 'HF_ENDPOINT' },
    { flags: '--cache-dir <folder>', help: 'where to keep it', defaultText: "Hugging Face's own cache" },
    { flags: '--offline', help: 'ask no server: only say where it is' },
    { flags: '--json', help: 'print the outcome as one object' },
  ],
  examples: [
    { command: 'neox pull rinna/japanese-gpt-neox-3.6b-instruction-ppo' },
    { command: 'neox chat -m rinna/japanese-gpt-neox-3.6b-instruction-ppo --type Q8_0', note: 'and then' },
    { command: "neox pull rinna/japanese-gpt-neox-small --include '*.json' --include 'spiece.model'" },
    { command: 'HF_TOKEN=... neox pull owner/private-model', note: 'a private or gated repository' },
  ],

  async run([name = ''], { json, ...options }, io) {
    const result = await io.interrupts.during((signal) =>
      withProgress(io, `pulling ${name}`, (onProgress) =>
        pullModel(name, { ...options, onProgress, signal }),
      ),
    );
    for (const warning of result.warnings) await io.err.line(`neox: warning: ${warning}`);
    if (json) {
      await io.out.json(result);
      return undefined;
    }
    const fetched =
      result.downloadedBytes > 0 ? `${bytes(result.downloadedBytes)} fetched` : 'nothing to fetch';
    await io.err.line(
      `neox: ${result.repo} at ${result.commit.slice(0, 12)}: ${result.files.length} files, ${fetched}`,
    );
    await io.out.line(result.path);
    return undefined;
  },
};
