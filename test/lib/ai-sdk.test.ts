// The AI SDK's calls as calls of a model: what is handed on, what is warned of, and the order of a stream's parts.

import type { EmbeddingModel, LanguageModel } from 'ai';
import {
  createNeox,
  type LanguageModelCall,
  type NeoxProvider,
  type StreamPart,
} from '../../lib/ai-sdk/index.js';
import { ArgumentError, DisposedError, demoModelPath, Model, NeoxError } from '../../lib/index.js';

// Of a package of ES modules alone.
type LanguageModel7 = import('ai-7', { with: { 'resolution-mode': 'import' }}).LanguageModel;

const neox = createNeox();
const say = (text: string): LanguageModelCall['prompt'] => [
  { role: 'user', content: [{ type: 'text', text }] },
];
const prompt = say('富士山の高さは?');
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(async () => {
  await model.dispose();
  await neox.dispose();
});

async function partsOf(stream: ReadableStream<StreamPart>): Promise<StreamPart[]> {
  const parts: StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((caught: unknown) => caught);
  return error instanceof NeoxError ? error.code : `no NeoxError: ${error}`;
}

test('the models are what both versions of the AI SDK take', () => {
  const six: LanguageModel = neox('name');
  const seven: LanguageModel7 = neox('name');
  const embedding: EmbeddingModel = neox.embeddingModel('name');
  for (const each of [six, seven, embedding]) {
    expect(each).toMatchObject({ specificationVersion: 'v3', provider: 'neox', modelId: 'name' });
  }
});

describe('a stream', () => {
  test('opens with warnings and metadata, holds one text, and ends with the usage', async () => {
    const call = { prompt, temperature: 0, includeRawChunks: true };
    const parts = await partsOf((await neox(model).doStream(call)).stream);
    const plain = parts.filter((part) => part.type !== 'raw');
    const deltas = plain.flatMap((part) => (part.type === 'text-delta' ? [part.delta] : []));
    const expected = await model
      .chat([{ role: 'user', content: '富士山の高さは?' }], { temperature: 0 })
      .result();
    expect(deltas.join('')).toBe(expected.text);
    expect(plain.map(({ type }) => type)).toEqual([
      ...['stream-start', 'response-metadata', 'text-start'],
      ...deltas.map(() => 'text-delta'),
      ...['text-end', 'finish'],
    ]);
    expect(plain.at(-1)).toEqual({
      type: 'finish',
      finishReason: { unified: 'stop', raw: 'eos' },
      usage: {
        inputTokens: {
          total: expected.usage.promptTokens,
          noCache: expected.usage.promptTokens,
          cacheRead: 0,
          cacheWrite: undefined,
        },
        outputTokens: {
          total: expected.usage.completionTokens,
          text: expected.usage.completionTokens,
          reasoning: undefined,
        },
      },
      providerMetadata: expect.objectContaining({ neox: expect.objectContaining({ finishReason: 'eos' }) }),
    });
    const raw = parts.flatMap((part) => (part.type === 'raw' ? [part.rawValue as { text: string }] : []));
    expect(raw.map(({ text }) => text).join('')).toBe(expected.text);
  });

  test('that is cancelled stops the work', async () => {
    const session = model.createSession();
    const own = neox(model, { session, eosTokenId: null, temperature: 0 });
    const { stream } = await own.doStream({ prompt, maxOutputTokens: 900 });
    const reader = stream.getReader();
    for (let i = 0; i < 4; i++) await reader.read();
    await reader.cancel();
    // Idle again, and far from its 900 tokens.
    expect(session.position).toBeLessThan(200);
    expect(() => session.truncate(0)).not.toThrow();
    session.dispose();
  });

  test('that is aborted fails with the reason', async () => {
    const controller = new AbortController();
    const own = neox(model, { eosTokenId: null });
    const { stream } = await own.doStream({ prompt, abortSignal: controller.signal });
    const reading = partsOf(stream);
    controller.abort(new Error('the user went away'));
    await expect(reading).rejects.toThrow('the user went away');
  });

  test('that fails ends with the error and a finish of that kind', async () => {
    const own = neox(model, {
      logitsProcessor: () => {
        throw new Error('a broken processor');
      },
    });
    const parts = await partsOf((await own.doStream({ prompt })).stream);
    expect(parts.slice(2)).toEqual([
      { type: 'error', error: new Error('a broken processor') },
      expect.objectContaining({ type: 'finish', finishReason: { unified: 'error', raw: undefined } }),
    ]);
  });
});

describe('options', () => {
  test('a call goes before the settings, and its own kind of choosing sets theirs aside', async () => {
    const drawn = neox(model, { temperature: 1.5, topP: 0.9, seed: 3, maxNewTokens: 8 });
    const greedy = await drawn.doGenerate({ prompt, temperature: 0 });
    expect(greedy.providerMetadata.neox.seed).toBe(3);
    const plain = await neox(model).doGenerate({ prompt, temperature: 0, maxOutputTokens: 8 });
    expect(greedy.content).toEqual(plain.content);
    const cold = neox(model, { temperature: 0, maxNewTokens: 8 });
    const warm = await cold.doGenerate({ prompt, topP: 0.9, seed: 11 });
    const alike = await neox(model).doGenerate({ prompt, topP: 0.9, seed: 11, maxOutputTokens: 8 });
    expect(warm.content).toEqual(alike.content);
    expect((await cold.doGenerate({ prompt, topP: 1 })).content).toEqual(plain.content);
  });

  test('what the model has not is warned of', async () => {
    const { warnings } = await neox(model).doGenerate({
      prompt: [...prompt, { role: 'assistant', content: [{ type: 'reasoning', text: 'hm' }] }],
      temperature: 0,
      topK: 5,
      topP: 0.5,
      maxOutputTokens: 1,
      tools: [{ type: 'function', name: 'clock' }],
      responseFormat: { type: 'json' },
    });
    const features = warnings.map((warning) => (warning.type === 'unsupported' ? warning.feature : ''));
    expect(features).toEqual(['reasoning', 'tools', 'responseFormat', 'topP', 'topK']);
  });

  test('options of this package go under neox, and mistakes are named', async () => {
    const call = (own: object) => neox(model).doGenerate({ prompt, providerOptions: { neox: own } });
    const short = await call({ maxNewTokens: 3, temperature: 0, logprobs: 2 });
    expect(short.finishReason).toEqual({ unified: 'length', raw: 'length' });
    const tokens = short.providerMetadata.neox.tokens ?? [];
    expect(tokens.map(({ topLogprobs }) => topLogprobs?.length)).toEqual([2, 2, 2]);
    await expect(call({ maxTokens: 3 })).rejects.toThrow(/maxTokens/);
    await expect(call({ numReturnSequences: 2 })).rejects.toThrow(ArgumentError);
  });

  test.each([
    ['a file', [{ role: 'user', content: [{ type: 'file' }] }]],
    ['a tool call', [{ role: 'assistant', content: [{ type: 'tool-call' }] }]],
    ["a tool's message", [{ role: 'tool', content: [] }]],
  ])('%s is an error', async (_, messages) => {
    expect(await codeOf(neox(model).doGenerate({ prompt: messages }))).toBe('ERR_NEOX_UNSUPPORTED');
  });
});

describe('a model without a chat format', () => {
  // The demo model answers conversations; this copy of it has forgotten how they are written.
  const base = (): Model =>
    Object.create(Model.prototype, {
      chatFormat: { value: undefined },
      info: { value: model.info },
      generate: { value: model.generate.bind(model) },
    });

  test('continues one text', async () => {
    const answer = await neox(base()).doGenerate({
      prompt: say('日本で一番高い山は'),
      temperature: 0,
      maxOutputTokens: 6,
    });
    const expected = await model
      .generate('日本で一番高い山は', { temperature: 0, maxNewTokens: 6, text: 'continuation' })
      .result();
    expect(answer.content).toEqual([{ type: 'text', text: expected.text }]);
  });

  test('refuses a conversation', async () => {
    const messages = [{ role: 'system', content: '短く答えてください。' }, ...prompt];
    await expect(neox(base()).doGenerate({ prompt: messages })).rejects.toThrow(/has no known chat format/);
  });
});

describe('the provider', () => {
  test('loads a path once, and again after a failure', async () => {
    const own = createNeox({ contextLength: 64 });
    const [first, second] = await Promise.all(
      [own(demoModelPath()), own.languageModel(demoModelPath())].map((each) =>
        each.doGenerate({ prompt, maxOutputTokens: 1, temperature: 0 }),
      ),
    );
    expect(first?.content).toEqual(second?.content);
    expect(await codeOf(own('no-such-file.gguf').doGenerate({ prompt }))).toBe('ERR_NEOX_FILE_NOT_FOUND');
    expect(await codeOf(own('no-such-file.gguf').doGenerate({ prompt }))).toBe('ERR_NEOX_FILE_NOT_FOUND');
    await own.dispose();
    await expect(own(demoModelPath()).doGenerate({ prompt })).rejects.toThrow(DisposedError);
  });

  describe('while a path loads', () => {
    afterEach(() => jest.restoreAllMocks());

    const calls: [string, (own: NeoxProvider, abortSignal: AbortSignal) => Promise<unknown>][] = [
      ['text', (own, abortSignal) => own('path').doGenerate({ prompt, abortSignal })],
      ['a stream', (own, abortSignal) => own('path').doStream({ prompt, abortSignal })],
      [
        'a vector',
        (own, abortSignal) => own.embeddingModel('path').doEmbed({ values: ['富士'], abortSignal }),
      ],
    ];
    test.each(calls)('an abort ends the call for %s, and leaves the load to the next', async (_, call) => {
      let finish = (_: Model): void => {};
      const loading = new Promise<Model>((resolve) => {
        finish = resolve;
      });
      const load = jest.spyOn(Model, 'load').mockReturnValue(loading);
      const own = createNeox();
      const controller = new AbortController();
      const calling = call(own, controller.signal);
      controller.abort(new Error('the user went away'));
      await expect(calling).rejects.toThrow('the user went away');
      expect(load.mock.calls[0]?.[1]?.signal?.aborted).toBe(false);
      await expect(call(own, AbortSignal.abort(new Error('gone before')))).rejects.toThrow('gone before');
      const next = own('path').doGenerate({ prompt, temperature: 0, maxOutputTokens: 4 });
      finish(model);
      expect((await next).usage.outputTokens.total).toBe(4);
      expect(load).toHaveBeenCalledTimes(1);
    });

    test('dispose ends the load, and what waits for it', async () => {
      const load = jest.spyOn(Model, 'load');
      const own = createNeox();
      const waiting = [
        own(demoModelPath()).doGenerate({ prompt }),
        own.embeddingModel(demoModelPath()).doEmbed({ values: ['富士山'] }),
      ].map((call) => codeOf(call));
      await own.dispose();
      await expect(load.mock.results[0]?.value).rejects.toThrow(DisposedError);
      expect(await Promise.all(waiting)).toEqual(['ERR_NEOX_DISPOSED', 'ERR_NEOX_DISPOSED']);
      expect(load).toHaveBeenCalledTimes(1);
    });
  });

  test('leaves a model that was handed to it alone', async () => {
    const own = createNeox();
    await own(model).doGenerate({ prompt, maxOutputTokens: 1 });
    await own.dispose();
    expect(await own(model).doGenerate({ prompt, maxOutputTokens: 1 })).toBeDefined();
    expect(() => own.imageModel('any')).toThrow(NeoxError);
  });

  test('embeds texts', async () => {
    const { embeddings, usage } = await neox.embeddingModel(model).doEmbed({ values: ['富士山', '東京'] });
    expect(embeddings).toEqual([
      Array.from(await model.embed('富士山')),
      Array.from(await model.embed('東京')),
    ]);
    expect(usage.tokens).toBe(
      model.tokenizer.tokenize('富士山').length + model.tokenizer.tokenize('東京').length,
    );
    const gone = neox.embeddingModel(model).doEmbed({ values: ['富士山'], abortSignal: AbortSignal.abort() });
    await expect(gone).rejects.toThrow(/abort/);
  });
});
