// Conversations through the public API: the model cards' own examples as prompts and ids, images, and formats by option.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { detectChatFormat, renderPrompt } from '../../lib/chat.js';
import {
  type ChatFormat,
  convert,
  demoModelPath,
  type GenerateOptions,
  type Message,
  Model,
} from '../../lib/index.js';
import { checkpointPath, fixturesDir } from './fixtures.js';

interface Card {
  names: string[];
  messages: { role: Message['role']; content: string }[];
  prompt: string;
  /** One list for each stretch between images. */
  ids: number[][];
}
const cards: Card[] = JSON.parse(readFileSync(join(fixturesDir, 'tokenizer', 'cards.json'), 'utf8'));
const ONE: GenerateOptions = { temperature: 0, maxNewTokens: 1, eosTokenId: null };
const IMAGE = '<Img><ImageHere></Img>';
const ROWS = 3;

let model: Model;
let embeddings: Float32Array;
beforeAll(async () => {
  model = await Model.load(demoModelPath(), { chatFormat: 'rinna-minigpt4', precision: 'exact' });
  embeddings = (await model.inputEmbeddings([100, 101, 102])).data;
});
afterAll(() => model.dispose());

// The card's text with an image in it, as parts of a message.
function withImage({ role, content }: Card['messages'][number]): Message {
  if (!content.startsWith(IMAGE)) return { role, content };
  return { role, content: [{ embeddings }, { text: content.slice(IMAGE.length) }] };
}

const withFormat = (chatFormat: string | ChatFormat): Promise<Model> =>
  Model.load(demoModelPath(), { chatFormat, precision: 'exact' });

test('every tuned model of the table has its card', () => {
  expect(cards.flatMap(({ names }) => names)).toHaveLength(6);
});

describe.each(cards)('$names', ({ names, messages, prompt, ids }) => {
  const asked = (): Message[] => messages.map(withImage);

  test('the prompt is the card’s, letter by letter', () => {
    for (const name of names) {
      const format = detectChatFormat({ names: [name] }) as ChatFormat;
      const parts = renderPrompt(asked(), format);
      expect(parts.map((part) => ('text' in part ? part.text : '<ImageHere>')).join('')).toBe(prompt);
    }
  });

  test('the ids are those of the slow T5Tokenizer', async () => {
    const format = detectChatFormat({ names }) as ChatFormat;
    const talking = await withFormat(format.name);
    const session = talking.createSession();
    await session.chat(asked(), ONE).result();
    const image = Array.from({ length: ROWS }, () => -1);
    const expected = ids.flatMap((stretch, index) => (index === 0 ? stretch : [...image, ...stretch]));
    expect(session.tokenIds.slice(0, -1)).toEqual(expected);
    await talking.dispose();
  });
});

test('an image in a message is the segments of a prompt', async () => {
  const options = { ...ONE, maxNewTokens: 12 };
  const messages: Message[] = [
    { role: 'user', content: [{ embeddings }, { text: ' 何？' }, { embeddings }] },
  ];
  const segments = [
    { text: 'ユーザー: <Img>' },
    { embeddings },
    { text: '</Img> 何？<Img>' },
    { embeddings },
    { text: '</Img>\nシステム: ' },
  ];
  const expected = await model.generate(segments, options).result();
  const got = await model.chat(messages, options).result();
  expect(got.tokenIds).toEqual(expected.tokenIds);
  expect(got.usage).toEqual(expected.usage);
  const session = model.createSession();
  expect((await session.chat(messages, options).result()).tokenIds).toEqual(expected.tokenIds);
  // Later turns bring only themselves.
  const next = { role: 'user', content: 'もう一度' } as const;
  const second = await session.chat([next], options).result();
  expect(second.usage.promptTokens).toBeLessThan(30);
  expect(session.tokenIds.filter((id) => id === -1)).toHaveLength(2 * ROWS);
});

test.each<[string, Float32Array, string]>([
  ['a wrong width', new Float32Array(7), 'hiddenSize'],
  ['no rows', new Float32Array(0), 'hiddenSize'],
])('an image of %s is an error that names the message', (_, image, message) => {
  const messages: Message[] = [{ role: 'user', content: [{ text: 'a' }, { embeddings: image }] }];
  for (const chat of [() => model.chat(messages), () => model.createSession().chat(messages)]) {
    expect(chat).toThrow(message);
    expect(chat).toThrow('messages[0].content[1].embeddings');
  }
});

test('a format of the caller’s own is rendered, and its newline comes back as one, whatever the pieces', async () => {
  const own: ChatFormat = { name: 'own', user: 'Q: ', assistant: 'A: ', separator: '|', newline: '<BR>' };
  const talking = await withFormat(own);
  expect(talking.chatFormat).toEqual(own);
  const { tokenizer } = talking;
  const session = talking.createSession();
  await session.chat([{ role: 'user', content: 'a\nb' }], ONE).result();
  expect(tokenizer.decode(session.tokenIds.slice(0, -1))).toBe('Q: a<BR>b|A:');

  // The answer is forced, byte by byte, which is as small as pieces get.
  const byte = (value: number): number =>
    tokenizer.tokenToId(`<0x${value.toString(16).toUpperCase().padStart(2, '0')}>`);
  const ids = [...Buffer.from('x<BR>y<B<BR><BR')].map(byte);
  const logitsProcessor = (seen: readonly number[], scores: Float32Array): void => {
    const next = ids[seen.length - start];
    scores.fill(0)[next ?? 0] = 1;
  };
  const messages: Message[] = [{ role: 'user', content: 'q' }];
  const start = tokenizer.encode('Q: q|A: ', { addSpecialTokens: false }).length;
  const chunks: string[] = [];
  const generation = talking.chat(messages, { ...ONE, maxNewTokens: ids.length, logitsProcessor });
  for await (const chunk of generation) chunks.push(chunk.text);
  expect((await generation.result()).tokenIds).toEqual(ids);
  expect(chunks.join('')).toBe('x\ny<B\n<BR');
  for (const chunk of chunks) expect(['', 'x', '\n', 'y', '<B', '<B\n', '<BR']).toContain(chunk);
  await talking.dispose();
});

test('a checkpoint under a name of its own is known by what its config.json says it was made from', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-origin-'));
  try {
    const write = (name: string, origin: unknown): string => {
      const directory = join(folder, name);
      cpSync(checkpointPath('sequential-erf'), directory, { recursive: true });
      const file = join(directory, 'config.json');
      const config = JSON.parse(readFileSync(file, 'utf8'));
      writeFileSync(file, JSON.stringify({ ...config, _name_or_path: origin }));
      return directory;
    };
    const mine = write('mine', 'rinna/japanese-gpt-neox-3.6b-instruction-ppo');
    const gguf = join(folder, 'mine.gguf');
    await convert(mine, gguf);
    for (const path of [mine, gguf]) {
      expect((await Model.inspect(path)).chatFormat?.name).toBe('rinna-3.6b');
      const loaded = await Model.load(path);
      expect(loaded.chatFormat?.name).toBe('rinna-3.6b');
      await loaded.dispose();
    }
    expect((await Model.inspect(mine)).generationDefaults).toMatchObject({ temperature: 0.7 });
    // Its own name comes first; a base model's is none that talks, and neither is anything else.
    const own = write(
      'bilingual-gpt-neox-4b-instruction-sft',
      'rinna/japanese-gpt-neox-3.6b-instruction-ppo',
    );
    expect((await Model.inspect(own)).chatFormat?.name).toBe('rinna-bilingual');
    for (const [index, origin] of ['rinna/japanese-gpt-neox-3.6b', '', 7, null].entries()) {
      expect((await Model.inspect(write(`other-${index}`, origin))).chatFormat).toBeUndefined();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a base model talks once it is given a format, and a wrong format is an error before anything is read', async () => {
  const base = await Model.load(checkpointPath('sequential-erf'), { chatFormat: 'line' });
  expect(base.chatFormat?.name).toBe('line');
  expect(() => base.chat([{ role: 'user', content: 'a' }])).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_NO_TOKENIZER' }),
  );
  await base.dispose();
  const plain = await Model.load(checkpointPath('sequential-erf'));
  expect(plain.chatFormat).toBeUndefined();
  expect(() => plain.chat([{ role: 'user', content: 'a' }])).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_UNSUPPORTED' }),
  );
  await plain.dispose();
  for (const chatFormat of ['rinna', {}, null, { name: 'x', user: 'u', assistant: 'a', separator: 1 }]) {
    await expect(Model.load('nowhere', { chatFormat: chatFormat as never })).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_ARGUMENT|FILE_NOT_FOUND/),
    });
    await expect(Model.load(demoModelPath(), { chatFormat: chatFormat as never })).rejects.toMatchObject({
      code: 'ERR_NEOX_INVALID_ARGUMENT',
      message: expect.stringContaining('chatFormat'),
    });
  }
});
