// The contract of streamed text through the engine: models with tokenizers of every kind, sampled ids, consumers of every pace.
// A checkpoint of zeros draws from all ids alike, which is as random as a stream of ids can be.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import {
  type Chunk,
  demoModelPath,
  type GenerateOptions,
  type Generation,
  Model,
  type Result,
} from '../../lib/index.js';
import { randomIntegers } from '../lib/fake-tokenizer.js';
import { spieceShapes, writeSpiece } from './spiece-shapes.js';
import { zeroCheckpoint } from './zero-checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-streamed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NEW = 40;
const ROWS = 1100;

async function load(name: string): Promise<Model> {
  if (name === 'demo') return Model.load(demoModelPath(), { precision: 'exact' });
  const tokenizer = spieceShapes.includes(name) ? writeSpiece(name, join(folder, `${name}-files`)) : name;
  return Model.load(zeroCheckpoint(join(folder, name), tokenizer, ROWS));
}

/** Ids of the model that are no tokens: padding rows, which a sentencepiece tokenizer cannot decode. */
function withoutToken(model: Model): number[] {
  return Array.from({ length: model.config.vocabSize }, (_, id) => id).filter((id) => {
    try {
      model.tokenizer.idToToken(id);
      return false;
    } catch {
      return true;
    }
  });
}

/** Reads at a pace of its own, so that few or many ids wait for each step. */
async function read(generation: Generation, seed: number): Promise<{ chunks: Chunk[]; result: Result }> {
  const random = randomIntegers(seed);
  const chunks: Chunk[] = [];
  for await (const chunk of generation) {
    chunks.push(chunk);
    if (random(4) === 0) await setTimeout(random(3));
    else if (random(2) === 0) await setImmediate();
  }
  return { chunks, result: await generation.result() };
}

const textOf = (chunks: readonly Chunk[]): string => chunks.map((chunk) => chunk.text).join('');

describe.each(['demo', 'rinna', 'bilingual', 'line', 'not-legacy', 't5', 'stripping', 'neox-20b', 'dolly'])(
  '%s',
  (name) => {
    let model: Model;
    let sampling: GenerateOptions;
    const prompt = [5, 9, 7, 8];
    beforeAll(async () => {
      model = await load(name);
      const suppressTokens = withoutToken(model);
      sampling = {
        doSample: true,
        temperature: 1.5,
        topK: 0,
        eosTokenId: null,
        maxNewTokens: NEW,
        suppressTokens,
      };
    });
    afterAll(() => model.dispose());

    const expected = (ids: number[], { text, skipSpecialTokens = true }: GenerateOptions): string => {
      const decode = (all: number[]): string => model.tokenizer.decode(all, { skipSpecialTokens });
      if (text !== 'continuation') return decode(ids);
      return Array.from(decode([...prompt, ...ids]))
        .slice(Array.from(decode(prompt)).length)
        .join('');
    };

    test.each<[string, GenerateOptions]>([
      ['decode', {}],
      ['decode with special tokens', { skipSpecialTokens: false }],
      ['continuation', { text: 'continuation' }],
    ])('%s: chunks are the text, every id comes once and brings its log-probability', async (_, mode) => {
      for (const seed of [1, 2, 3]) {
        const options = { ...sampling, ...mode, seed, logprobs: 2 };
        const { chunks, result } = await read(model.generate(prompt, options), seed);
        expect(result.tokenIds).toHaveLength(NEW);
        expect(result.text).toBe(expected(result.tokenIds, mode));
        expect(textOf(chunks)).toBe(result.text);
        const tokens = chunks.flatMap((chunk) => chunk.tokens);
        expect(tokens).toEqual(result.tokens);
        expect(tokens.map(({ id }) => id)).toEqual(result.tokenIds);
        for (const chunk of chunks) expect(chunk.text).not.toMatch(/\p{Surrogate}/u);
        for (const { logprob = 1, topLogprobs = [] } of tokens) {
          expect(logprob).toBeLessThanOrEqual(0);
          expect(topLogprobs).toHaveLength(2);
          expect(topLogprobs[0]?.logprob).toBeGreaterThanOrEqual(logprob);
        }
        const { timings } = result;
        expect(Math.min(timings.queueMs, timings.prefillMs, timings.decodeMs)).toBeGreaterThanOrEqual(0);
        expect(timings.tokensPerSecond).toBeGreaterThan(0);
      }
    });

    test('the log-probabilities are those of score()', async () => {
      const { tokenIds, tokens } = await model
        .generate(prompt, { ...sampling, seed: 4, logprobs: true })
        .result();
      const score = await model.score(prompt, tokenIds);
      tokens.forEach(({ logprob = 1 }, index) => {
        expect(logprob).toBeCloseTo(score.tokens[index]?.logprob ?? 1, 4);
      });
    });

    test('a stop string ends text and session, wherever in the tokens it begins', async () => {
      const random = randomIntegers(7);
      const full = await model.generate(prompt, { ...sampling, seed: 5 }).result();
      const chars = Array.from(full.text);
      // The very beginning, a single character, several, one that ends inside another.
      const froms = [0, 1 + random(5), random(chars.length), random(chars.length), random(chars.length)];
      for (const from of froms) {
        const stop = chars
          .slice(from, from + 1 + random(4))
          .join('')
          .trim();
        if (stop === '') continue;
        const session = model.createSession();
        const options = { ...sampling, seed: 5, stop: [`${stop}\u{10ffff}`, stop] };
        const { chunks, result } = await read(session.generate(prompt, options), from);
        expect(result.finishReason).toBe('stop');
        expect(result.text).toBe(full.text.slice(0, full.text.indexOf(stop)));
        expect(textOf(chunks)).toBe(result.text);
        expect(result.tokenIds).toEqual(full.tokenIds.slice(0, result.tokenIds.length));
        expect(session.tokenIds).toEqual(
          result.tokenIds.length > 0 ? [...prompt, ...result.tokenIds] : prompt,
        );
        session.dispose();
      }
    });

    test('several outputs of one call keep their chunks apart', async () => {
      const options = { ...sampling, seed: 6, numReturnSequences: 3 };
      const { chunks, result } = await read(model.generate(prompt, options), 6);
      result.sequences.forEach((sequence, index) => {
        const own = chunks.filter((chunk) => chunk.index === index);
        expect(textOf(own)).toBe(sequence.text);
        expect(own.flatMap((chunk) => chunk.tokens.map(({ id }) => id))).toEqual(sequence.tokenIds);
        expect(sequence.text).toBe(expected(sequence.tokenIds, {}));
      });
      expect(result.sequences).toHaveLength(3);
    });
  },
);
