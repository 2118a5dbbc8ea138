// The texts that logits are compared on, and the digest that says that results are of the same texts and the same files.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCURACY_MODELS } from './accuracy_models.mjs';
import { neox } from './dist.mjs';

export const CHUNK = 512;

/** Texts that the model itself draws, so that they are of the kind that it knows; drawn once and kept beside its file. */
export async function textsOf(name, path, { chunks, threads, models }) {
  const kept = join(models, `${name}-texts-${chunks}.json`);
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8'));
  const texts = await draw(ACCURACY_MODELS[name].prompts, path, chunks, threads);
  const part = `${kept}.${process.pid}.part`;
  writeFileSync(part, JSON.stringify(texts));
  renameSync(part, kept);
  return texts;
}

async function draw(prompts, path, chunks, threads) {
  const options = { precision: 'exact', threads, contextLength: CHUNK, maxSequences: 1 };
  const model = await neox.Model.load(path, options);
  try {
    const drawn = [];
    for (let index = 0; index < chunks; index++) {
      const ids = model.tokenizer.encode(prompts[index % prompts.length], { addSpecialTokens: false });
      const sampling = { temperature: 1, topK: 0, seed: 1 + index, eosTokenId: null };
      const rest = await model.generate(ids, { ...sampling, maxNewTokens: CHUNK - ids.length }).result();
      drawn.push([...ids, ...rest.tokenIds]);
    }
    return drawn;
  } finally {
    await model.dispose();
  }
}

/** Of the texts and of the contents of the files: results with another one are not of the same comparison. */
export function digestOf(texts, ...paths) {
  const sum = createHash('sha256').update(JSON.stringify(texts));
  for (const path of paths) sum.update(readFileSync(path));
  return sum.digest('hex').slice(0, 16);
}
