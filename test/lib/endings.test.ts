// What ends a generation, and what a caller's own step may do to it, on the demo model.

import { demoModelPath, type GenerateOptions, Model } from '../../lib/index.js';

const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 30 };
let model: Model;
let ids: number[];
let full: number[];

beforeAll(async () => {
  model = await Model.load(demoModelPath());
  ids = model.tokenizer.encode(prompt, { addSpecialTokens: false });
  full = (await model.generate(prompt, greedy).result()).tokenIds;
});
afterAll(() => model.dispose());

/** A processor that makes the output these ids. */
const forcing =
  (output: readonly number[]) =>
  (seen: readonly number[], scores: Float32Array): void => {
    scores.fill(Number.NEGATIVE_INFINITY)[output[seen.length - ids.length] as number] = 0;
  };
const encode = (text: string): number[] => model.tokenizer.encode(text, { addSpecialTokens: false });
const outcome = async (options: GenerateOptions): Promise<[number[], string]> => {
  const { tokenIds, finishReason } = await model.generate(prompt, { ...greedy, ...options }).result();
  return [tokenIds, finishReason];
};

describe('eos', () => {
  test('the first of several ids that comes ends the call, and stays in the ids', async () => {
    for (const place of [0, 3, 11]) {
      const eos = full[place] as number;
      const end = full.indexOf(eos) + 1;
      const never = model.tokenizer.vocabSize - 1;
      expect(await outcome({ eosTokenId: [never, eos] })).toEqual([full.slice(0, end), 'eos']);
      expect(await outcome({ eosTokenId: eos })).toEqual([full.slice(0, end), 'eos']);
    }
  });

  test('an eos in the prompt ends nothing', async () => {
    const absent = ids.find((id) => !full.includes(id)) as number;
    expect(await outcome({ eosTokenId: absent })).toEqual([full, 'length']);
  });

  test("null is none, not even the checkpoint's", async () => {
    const eos = model.config.eosTokenId as number;
    const output = Array.from(full, (id, index) => (index % 5 === 2 ? eos : id));
    expect(await outcome({ logitsProcessor: forcing(output) })).toEqual([output, 'length']);
    expect(await outcome({ logitsProcessor: forcing(output), eosTokenId: eos })).toEqual([
      output.slice(0, 3),
      'eos',
    ]);
  });

  test('no eos of several comes before minNewTokens', async () => {
    const eosTokenId = [full[0] as number, full[4] as number];
    const [tokenIds] = await outcome({ eosTokenId, minNewTokens: 12 });
    expect(tokenIds.slice(0, 12).filter((id) => eosTokenId.includes(id))).toEqual([]);
    expect(tokenIds.length).toBeGreaterThanOrEqual(12);
  });

  test('at the last place it is an eos, not a length', async () => {
    const eos = full[9] as number;
    const end = full.indexOf(eos) + 1;
    expect((await outcome({ eosTokenId: eos, maxNewTokens: end }))[1]).toBe('eos');
  });
});

describe('stop strings', () => {
  // Several pieces, with characters of several bytes and one spelt in bytes.
  const text = '富士山の高さは3776メートル🗻です。';

  test('one is met wherever tokens begin and end', async () => {
    const output = encode(text);
    const { tokenizer } = model;
    const starts = output.map((_, count) => tokenizer.decode(output.slice(0, count)));
    expect(output.length).toBeGreaterThan(8);
    const characters = Array.from(text);
    for (let begin = 0; begin < characters.length; begin++) {
      for (const length of [1, 2, 5]) {
        const stop = characters.slice(begin, begin + length).join('');
        const before = text.slice(0, text.indexOf(stop));
        const logitsProcessor = forcing(output);
        const result = await model
          .generate(prompt, { ...greedy, maxNewTokens: output.length, logitsProcessor, stop })
          .result();
        expect([result.text, result.finishReason]).toEqual([before, 'stop']);
        // Ids stay up to the last token that begins before the stop string, which therefore begins after them.
        expect(result.tokenIds).toEqual(output.slice(0, result.tokenIds.length));
        expect(result.tokenIds).toHaveLength(starts.filter((start) => isPart(start, before)).length);
      }
    }
  });

  // Whether a token whose output before it decodes to this begins before the stop string.
  function isPart(start: string, before: string): boolean {
    return start.replaceAll('\ufffd', '').length < before.length;
  }

  test('one in the prompt alone ends nothing', async () => {
    const [tokenIds, finishReason] = await outcome({ stop: 'ユーザー' });
    expect([tokenIds, finishReason]).toEqual([full, 'length']);
  });
});

describe("a caller's own step", () => {
  test('what it throws comes through, and its session goes on as if nothing had been', async () => {
    const session = model.createSession();
    const boom = new Error('boom');
    const logitsProcessor = (seen: readonly number[]): void => {
      if (seen.length === ids.length + 4) throw boom;
    };
    await expect(session.generate(prompt, { ...greedy, logitsProcessor }).result()).rejects.toBe(boom);
    expect(session.tokenIds).toEqual([...ids, ...full.slice(0, 4)]);
    const rest = await session.generate([], { ...greedy, maxNewTokens: 8 }).result();
    expect(rest.tokenIds).toEqual(full.slice(4, 12));
    session.dispose();
  });

  test.each([
    ['a NaN', Number.NaN],
    ['no token', Number.NEGATIVE_INFINITY],
  ])('%s in its scores is an error, and the session is what it was before the call', async (_, value) => {
    const session = model.createSession();
    const logitsProcessor = (seen: readonly number[], scores: Float32Array): void => {
      if (seen.length === ids.length + 2) scores.fill(value);
    };
    const failing = session.generate(prompt, { ...greedy, logitsProcessor });
    await expect(failing.result()).rejects.toMatchObject({ code: 'ERR_NEOX_NAN' });
    expect(session.position).toBe(0);
    expect((await session.generate(prompt, greedy).result()).tokenIds).toEqual(full);
    session.dispose();
  });

  test('it sees the scores after the penalties and before temperature', async () => {
    const seen: Float32Array[] = [];
    const logitsProcessor = (_: readonly number[], scores: Float32Array): void => {
      seen.push(scores.slice());
    };
    const options = { doSample: true, topK: 1, maxNewTokens: 1, logitsProcessor };
    const bias = { suppressTokens: [5], logitBias: { 9: 3 } };
    await model.generate(prompt, { ...options, temperature: 1 }).result();
    await model.generate(prompt, { ...options, ...bias, temperature: 0.5 }).result();
    const [plain, changed] = seen as [Float32Array, Float32Array];
    expect(changed[5]).toBe(Number.NEGATIVE_INFINITY);
    expect(changed[9]).toBeCloseTo((plain[9] as number) + 3, 4);
    expect(changed[10]).toBe(plain[10]);
  });
});
