// Logits of all positions of chunks of ids but the first of each: by one pass over a chunk ("prompt"), or id by id ("step").

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StepError } from '../../../scripts/steps.mjs';
import { neox } from './dist.mjs';
import { runDriver } from './process.mjs';

export const PHASES = ['prompt', 'step'];

/** Of this project: `[rows, vocabSize]`. */
export async function ownLogits(path, precision, phase, chunks, threads) {
  const contextLength = chunks[0].length;
  const room = contextLength + 1; // a step chooses an id behind the last one, too
  const model = await neox.Model.load(path, { precision, threads, contextLength: room, maxSequences: 1 });
  try {
    const { vocabSize } = model.config;
    const rows = new Float32Array(chunks.length * (contextLength - 1) * vocabSize);
    const read = phase === 'prompt' ? promptLogits : stepLogits;
    for (const [index, ids] of chunks.entries()) {
      rows.set(await read(model, ids), index * (contextLength - 1) * vocabSize);
    }
    return rows;
  } finally {
    await model.dispose();
  }
}

async function promptLogits(model, ids) {
  const { data } = await model.logits(ids, { positions: 'all' });
  return data.subarray(model.config.vocabSize);
}

/** Generates the very ids: behind the prompt of one, each is a step, whose scores are seen before the next id is forced. */
async function stepLogits(model, ids) {
  const { vocabSize } = model.config;
  const rows = new Float32Array((ids.length - 1) * vocabSize);
  await model
    .generate(ids.slice(0, 1), {
      maxNewTokens: ids.length,
      temperature: 0,
      eosTokenId: null,
      logitsProcessor(known, scores) {
        if (known.length > 1) rows.set(scores, (known.length - 2) * vocabSize);
        scores.fill(Number.NEGATIVE_INFINITY);
        scores[ids[known.length] ?? 0] = 0;
      },
    })
    .result();
  return rows;
}

/** Of a peer whose driver can tell them. */
export async function peerLogits(peer, peerPath, path, phase, chunks, threads, folder) {
  const output = join(folder, `${peer.name}-${process.pid}.logits`);
  const contextLength = chunks[0].length;
  const task = { model: path, threads, contextLength, phase, chunks, output };
  let bytes;
  try {
    const { error } = await runDriver(peer, peerPath, task, 900);
    if (error) throw new StepError(`${peer.title}: ${error}`);
    bytes = readFileSync(output);
  } finally {
    rmSync(output, { force: true });
  }
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const vocabSize = all.length / (chunks.length * contextLength);
  if (!Number.isInteger(vocabSize))
    throw new StepError(`${peer.title}: ${all.length} logits of ${chunks.length} texts`);
  const rows = new Float32Array(chunks.length * (contextLength - 1) * vocabSize);
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const begin = (chunk * contextLength + 1) * vocabSize;
    rows.set(
      all.subarray(begin, begin + (contextLength - 1) * vocabSize),
      chunk * (contextLength - 1) * vocabSize,
    );
  }
  return rows;
}
