// `neox detokenize`: ids to text.

import { Tokenizer } from '../index.js';
import type { CommandSpec } from './command.js';
import { UsageError } from './exit-codes.js';
import { modelOption, modelPath } from './model-options.js';
import { readInput } from './prompt.js';

interface Options {
  model?: string;
  file?: string;
  skipSpecialTokens?: boolean;
  json?: boolean;
}

export const detokenize: CommandSpec<Options> = {
  name: 'detokenize',
  summary: 'turn ids back into text',
  arguments: [
    { syntax: '[ids...]', help: 'ids apart by spaces or commas; - or nothing reads standard input' },
  ],
  options: [
    modelOption,
    { flags: '-f, --file <path>', help: 'read the ids from a file' },
    { flags: '--skip-special-tokens', help: 'leave special tokens out' },
    { flags: '--json', help: 'print {"text": "..."}' },
  ],
  examples: [{ command: 'neox detokenize 12 345 6' }, { command: 'echo "[12, 345, 6]" | neox detokenize' }],

  async run(args, options, io) {
    const ids = readIds(await readInput(args, io, 'list of ids', options.file));
    const tokenizer = await Tokenizer.load(modelPath(options));
    const text = tokenizer.decode(ids, { skipSpecialTokens: options.skipSpecialTokens ?? false });
    if (options.json) await io.out.json({ text });
    else await io.out.line(text);
    return undefined;
  },
};

function readIds(text: string): number[] {
  const words = text
    .replace(/^\s*\[|\]\s*$/g, '')
    .split(/[\s,]+/)
    .filter(Boolean);
  return words.map((word) => {
    if (/^\d{1,10}$/.test(word)) return Number(word);
    throw new UsageError(`Expected token ids but found '${word}'.`);
  });
}
