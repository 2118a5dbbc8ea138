// `neox verify`: whether a model is sound.

import { type Verification, verify as verifyModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';
import type { Io } from './io.js';
import { withProgress } from './progress.js';
import { bytes, count } from './values.js';

interface Options {
  json?: boolean;
}

export const verify: CommandSpec<Options> = {
  name: 'verify',
  summary: 'check a model: shapes, numbers that are not finite, checksums, withdrawn files',
  arguments: [{ syntax: '<path>', help: 'a .gguf file, a Hugging Face directory or a pulled name' }],
  options: [{ flags: '--json', help: 'print the outcome as one object' }],
  examples: [
    { command: 'neox verify model.gguf' },
    { command: 'neox verify rinna/bilingual-gpt-neox-4b-instruction-sft', note: 'a pulled model' },
  ],

  async run([path = ''], options, io) {
    const found = await io.interrupts.during((signal) =>
      withProgress(io, 'verifying', (onProgress) => verifyModel(path, { onProgress, signal })),
    );
    for (const warning of found.warnings) await io.err.line(`neox: warning: ${warning}`);
    if (options.json) await io.out.json(found);
    else await print(found, io);
    return found.isSound ? EXIT.ok : EXIT.file;
  },
};

async function print(found: Verification, { out }: Io): Promise<void> {
  const rows = found.files.map(({ name, bytes: size, isIntact, note, sha256, md5 }) => [
    name,
    bytes(size),
    isIntact === undefined ? '-' : isIntact ? 'intact' : 'DAMAGED',
    sha256,
    md5,
    note ?? '',
  ]);
  await out.table(['file', 'size', 'content', 'SHA-256', 'MD5', ''], rows);
  await out.line();
  await out.line(`${found.tensors} tensors, ${count(found.elements)} numbers, all shapes right`);
  await out.line(found.hasTokenizer ? 'tokenizer: sound' : `tokenizer: ${found.tokenizerNote ?? 'none'}`);
  for (const { name, nan, infinite, row, column } of found.badTensors) {
    await out.line(`${name}: ${nan} NaN, ${infinite} infinite, the first at row ${row}, column ${column}`);
  }
  await out.line(found.isSound ? 'sound' : 'NOT SOUND', 'bold');
}
