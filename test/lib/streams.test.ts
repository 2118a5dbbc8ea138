// Generations as the streams of the web and of Node: what comes, and what cancelling, errors and a slow reader do.

import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Chunk, demoModelPath, type GenerateOptions, type Generation, Model } from '../../lib/index.js';

const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 40 };
const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

async function* textOf(generation: Generation): AsyncGenerator<string> {
  for await (const chunk of generation) yield chunk.text;
}

// With it, each token waits for the reader.
function counted(options: GenerateOptions = greedy): { generation: Generation; steps: () => number } {
  let steps = 0;
  const logitsProcessor = (): void => void steps++;
  return { generation: model.generate(prompt, { ...options, logitsProcessor }), steps: () => steps };
}

// How many steps there were once there are no more.
async function settled(steps: () => number): Promise<number> {
  for (let before = 0; ; before = steps()) {
    await sleep(80);
    if (before > 0 && steps() === before) return before;
  }
}

describe('a Node stream', () => {
  test('gives the chunks', async () => {
    const chunks: Chunk[] = [];
    for await (const chunk of Readable.from(model.generate(prompt, greedy))) chunks.push(chunk);
    const { text, tokenIds } = await model.generate(prompt, greedy).result();
    expect(chunks.map((chunk) => chunk.text).join('')).toBe(text);
    expect(chunks.flatMap(({ tokens }) => tokens.map(({ id }) => id))).toEqual(tokenIds);
  });

  test('that is destroyed stops the work', async () => {
    const { generation, steps } = counted();
    const readable = Readable.from(generation);
    for await (const _ of readable) break; // destroys it, too
    expect(readable.destroyed).toBe(true);
    expect((await generation.result()).finishReason).toBe('cancelled');
    expect(await settled(steps)).toBeLessThan(5);
  });

  test('that nobody reads waits', async () => {
    const { generation, steps } = counted();
    const readable = Readable.from(generation);
    readable.once('readable', () => undefined);
    const taken = await settled(steps);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(5);
    readable.destroy();
    await generation.result();
  });

  test('of texts pipes into a slow writer without running ahead', async () => {
    const { generation, steps } = counted();
    let text = '';
    let ahead = 0;
    const writer = new Writable({
      highWaterMark: 1,
      write(data: Buffer, _, done) {
        text += data;
        const before = steps();
        setTimeout(() => {
          ahead = Math.max(ahead, steps() - before);
          done();
        }, 2);
      },
    });
    await pipeline(textOf(generation), writer);
    expect(text).toBe((await generation.result()).text);
    expect(ahead).toBeLessThan(5);
  });

  test('fails as the generation does', async () => {
    const broken = model.generate(prompt, {
      ...greedy,
      logitsProcessor: () => {
        throw new Error('a broken processor');
      },
    });
    await expect(Readable.from(broken).toArray()).rejects.toThrow('a broken processor');
    const controller = new AbortController();
    const aborted = Readable.from(model.generate(prompt, { ...greedy, signal: controller.signal })).toArray();
    controller.abort(new Error('the user went away'));
    await expect(aborted).rejects.toThrow('the user went away');
  });
});

describe('a web stream', () => {
  test('that nobody reads waits', async () => {
    const { generation, steps } = counted();
    const reader = generation.toReadableStream().getReader();
    await reader.read();
    expect(await settled(steps)).toBeLessThan(3);
    await reader.cancel();
    expect((await generation.result()).finishReason).toBe('cancelled');
  });

  test('of texts is the body of a response, and cancelling that stops the work', async () => {
    const encoder = new TextEncoder();
    const body = (generation: Generation): ReadableStream<Uint8Array> =>
      generation.toReadableStream().pipeThrough(
        new TransformStream<Chunk, Uint8Array>({
          transform: (chunk, controller) => controller.enqueue(encoder.encode(chunk.text)),
        }),
      );
    const { text } = await model.generate(prompt, greedy).result();
    expect(await new Response(body(model.generate(prompt, greedy))).text()).toBe(text);
    const { generation, steps } = counted();
    const response = new Response(body(generation));
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect((await generation.result()).finishReason).toBe('cancelled');
    expect(await settled(steps)).toBeLessThan(6);
  });
});
