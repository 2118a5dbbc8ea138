// `neox tokenize`: text to ids and their tokens.

import { Tokenizer } from '../index.js';
import type { CommandSpec } from './command.js';
import { modelOption, modelPath } from './model-options.js';
import { readInput } from './prompt.js';

interface Options {
  model?: string;
  file?: string;
  addSpecialTokens?: boolean;
  splitSpecialTokens?: boolean;
  ids?: boolean;
  json?: boolean;
}

export const tokenize: CommandSpec<Options> = {
  name: 'tokenize',
  summary: 'show the ids and pieces of a text',
  arguments: [{ syntax: '[text...]', help: 'the text; - or nothing reads standard input' }],
  options: [
    modelOption,
    { flags: '-f, --file <path>', help: 'read the text from a file' },
    { flags: '--add-special-tokens', help: 'add the end token' },
    { flags: '--split-special-tokens', help: 'take special tokens in the text as plain text' },
    { flags: '--ids', help: 'print the ids alone, on one line' },
    { flags: '--json', help: 'print {"ids": [...], "tokens": [...]}' },
  ],
  examples: [
    { command: 'neox tokenize "吾輩は猫である"' },
    { command: 'neox tokenize --ids "こんにちは" | neox detokenize' },
  ],

  async run(args, options, io) {
    const text = await readInput(args, io, 'text', options.file);
    const tokenizer = await Tokenizer.load(modelPath(options));
    const { addSpecialTokens = false, splitSpecialTokens } = options;
    const split = splitSpecialTokens === undefined ? {} : { splitSpecialTokens };
    const ids = tokenizer.encode(text, { addSpecialTokens, ...split });
    const tokens = ids.map((id) => tokenizer.idToToken(id));
    if (options.json) await io.out.json({ ids, tokens });
    else if (options.ids) await io.out.line(ids.join(' '));
    else await io.out.table(['id', 'token'], rows(ids, tokens));
    return undefined;
  },
};

// A line break is a token like others, but would break the table.
function rows(ids: readonly number[], tokens: readonly string[]): (string | number)[][] {
  return ids.map((id, index) => [id, (tokens[index] ?? '').replaceAll('\n', '\\n').replaceAll('\t', '\\t')]);
}
