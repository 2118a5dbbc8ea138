// Several calls at once: the same ids as alone, nobody waits for a stalled consumer, interrupts act at once.

import { type Chunk, type Generation, Model } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';
import {
  findLongPrompt,
  loadSlowModel,
  makeSlowModelFile,
  promptOf,
  type SlowModelFile,
} from './slow-model.js';

const greedy = { eosTokenId: null, temperature: 0 };
const prompts = [
  [5, 6, 7],
  Array.from({ length: 90 }, (_, index) => (index * 37) % 128),
  [100],
  Array.from({ length: 65 }, (_, index) => (index * 11 + 3) % 128),
];

const idsOf = async (generation: Generation): Promise<number[]> => (await generation.result()).tokenIds;

describe.each(['sequential-erf', 'parallel-quarter-rotary'])('%s', (name) => {
  describe.each([
    ['exact', 'F32', 'f32'],
    ['high', 'BF16', 'f16'],
    ['fast', 'Q8_0', 'q8_0'],
  ] as const)('precision %s, weights %s, KV cache %s', (precision, type, kvCacheType) => {
    let model: Model;

    beforeAll(async () => {
      model = await Model.load(checkpointPath(name), { precision, type, kvCacheType, maxSequences: 4 });
    });
    afterAll(() => model.dispose());

    test.each([
      ['greedy', greedy],
      ['sampled', { eosTokenId: null, temperature: 1.3, seed: 42 }],
    ])('concurrent calls give the ids that each gives alone, %s', async (_, options) => {
      const run = (prompt: number[], index: number) =>
        model.generate(prompt, { ...options, maxNewTokens: 20 + 30 * index });
      const alone: number[][] = [];
      for (const [index, prompt] of prompts.entries()) alone.push(await idsOf(run(prompt, index)));
      const together = await Promise.all(prompts.map((prompt, index) => idsOf(run(prompt, index))));
      expect(together).toEqual(alone);
      expect(new Set(alone.map(String)).size).toBe(prompts.length);
    });

    test('more calls than the pool holds wait for their turn', async () => {
      const run = () => model.generate(prompts[0] ?? [], { ...greedy, maxNewTokens: 250 });
      const results = await Promise.all(Array.from({ length: 9 }, () => idsOf(run())));
      expect(new Set(results.map(String)).size).toBe(1);
      expect(results[0]).toHaveLength(250);
    });
  });

  test('1, 2 and 3 threads give the same bits', async () => {
    const logits: number[][] = [];
    for (const threads of [1, 2, 3]) {
      const model = await Model.load(checkpointPath(name), { threads });
      logits.push(Array.from((await model.logits(prompts[1] ?? [], { positions: 'all' })).data));
      await model.dispose();
    }
    expect(logits[1]).toEqual(logits[0]);
    expect(logits[2]).toEqual(logits[0]);
  });
});

describe('consumers', () => {
  let model: Model;

  beforeAll(async () => {
    model = await Model.load(checkpointPath('sequential-erf'), { maxSequences: 3 });
  });
  afterAll(() => model.dispose());

  test('a stalled consumer stops only its own sequence, and finds everything when it comes back', async () => {
    const run = () => model.generate([5, 6, 7], { ...greedy, maxNewTokens: 250 });
    const expected = await idsOf(run());
    const stalled = run();
    const iterator = stalled[Symbol.asyncIterator]();
    const first = await iterator.next();
    const other = await model.generate([9, 8], { ...greedy, maxNewTokens: 250 }).result();
    expect(other.tokenIds).toHaveLength(250);
    const got: number[] = [];
    for (let step = first; !step.done; step = await iterator.next()) {
      got.push(...(step.value as Chunk).tokens.map((token) => token.id));
    }
    expect(got).toEqual(expected);
  });

  test('break leaves the session at the last token delivered', async () => {
    const expected = await idsOf(model.generate([5, 6, 7], { ...greedy, maxNewTokens: 240 }));
    const session = model.createSession();
    const got: number[] = [];
    for await (const chunk of session.generate([5, 6, 7], { ...greedy, maxNewTokens: 240 })) {
      got.push(...chunk.tokens.map((token) => token.id));
      break;
    }
    expect(got.length).toBeLessThan(240);
    expect(session.position).toBe(3 + got.length);
    expect(session.tokenIds).toEqual([5, 6, 7, ...got]);
    const rest = await idsOf(session.generate([], { ...greedy, maxNewTokens: 240 - got.length }));
    expect([...got, ...rest]).toEqual(expected);
    session.dispose();
  });

  test('a step in JavaScript holds up nobody else', async () => {
    const plain = await idsOf(model.generate([5, 6, 7], { ...greedy, maxNewTokens: 30 }));
    const seen: number[] = [];
    const logitsProcessor = (ids: readonly number[], scores: Float32Array): void => {
      seen.push(ids.length);
      scores[plain[ids.length - 3] ?? 0] = Number.NEGATIVE_INFINITY;
    };
    const [changed, other] = await Promise.all([
      idsOf(model.generate([5, 6, 7], { ...greedy, maxNewTokens: 30, logitsProcessor })),
      idsOf(model.generate([5, 6, 7], { ...greedy, maxNewTokens: 30 })),
    ]);
    expect(other).toEqual(plain);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => 3 + index));
    changed.forEach((id, index) => {
      expect(id).not.toBe(plain[index]);
    });
  });

  test('what a step in JavaScript throws, the call rejects with, and the model goes on', async () => {
    const boom = new Error('boom');
    const session = model.createSession();
    const generation = session.generate([1, 2], {
      ...greedy,
      logitsProcessor: (ids) => {
        if (ids.length === 5) throw boom;
      },
    });
    await expect(generation.result()).rejects.toBe(boom);
    expect(session.position).toBe(5);
    expect(await idsOf(model.generate([1], { ...greedy, maxNewTokens: 2 }))).toHaveLength(2);
  });
});

describe('interrupts', () => {
  // Latencies: a host that stands still for a moment is no slow stop, and it does not do so three times.
  jest.retryTimes(2, { logErrorsBeforeRetry: true });
  let file: SlowModelFile;
  let model: Model;
  let prompt: Int32Array;
  let prefillMs: number;

  beforeAll(async () => {
    file = await makeSlowModelFile();
    model = await loadSlowModel(file.path);
    ({ prompt, prefillMs } = await findLongPrompt(model));
  }, 120_000);

  afterAll(async () => {
    await model?.dispose();
    file?.remove();
  });

  async function interruptAfter(
    ms: number,
    interrupt: () => void,
    outcome: Promise<unknown>,
  ): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const begin = performance.now();
    interrupt();
    await outcome.catch(() => undefined);
    return performance.now() - begin;
  }

  test('abort in the middle of a prefill rejects with the reason, long before the prefill would end', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const session = model.createSession();
    const outcome = session.generate(prompt, { ...greedy, signal: controller.signal }).result();
    const rejected = expect(outcome).rejects.toBe(reason);
    const latency = await interruptAfter(prefillMs / 5, () => controller.abort(reason), outcome);
    await rejected;
    expect(latency).toBeLessThan(prefillMs / 4);
    expect(session.position).toBe(0);
    session.dispose();
  }, 60_000);

  test('return() in the middle of a prefill ends at once', async () => {
    const generation = model.generate(prompt, greedy);
    const iterator = generation[Symbol.asyncIterator]();
    const pending = iterator.next();
    const latency = await interruptAfter(prefillMs / 5, () => void iterator.return?.(), pending);
    expect(latency).toBeLessThan(prefillMs / 4);
    expect(await pending).toEqual({ done: true, value: undefined });
    expect((await generation.result()).finishReason).toBe('cancelled');
  }, 60_000);

  test('dispose in the middle of a prefill rejects the call and frees the model', async () => {
    const other = await loadSlowModel(file.path);
    const outcome = other.generate(prompt, greedy).result();
    const rejected = expect(outcome).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
    const latency = await interruptAfter(prefillMs / 5, () => void other.dispose(), outcome);
    await rejected;
    expect(latency).toBeLessThan(prefillMs / 4);
    await other.dispose();
  }, 60_000);

  test('maxTime ends a call with what there is', async () => {
    const session = model.createSession();
    const result = await session
      .generate(promptOf(100), { ...greedy, maxNewTokens: 8_000, maxTime: 0.05 })
      .result();
    expect(result.finishReason).toBe('time');
    expect(result.tokenIds.length).toBeLessThan(8_000);
    expect(session.position).toBe(100 + result.tokenIds.length);
    session.dispose();
  }, 60_000);
});
