import {
  cardDefaults,
  detectChatFormat,
  outputReplacements,
  renderPrompt,
  resolveChatFormat,
} from '../../lib/chat';
import { CHAT_FORMATS, type ChatFormat } from '../../lib/chat-formats';
import { Tokenizer } from '../../lib/tokenizer';
import type { TextPart } from '../../lib/tokenizer-kind';
import type { Message } from '../../lib/types';
import { FakeTokenizer, RINNA_CONFIG } from './fake-tokenizer';

const rinna = CHAT_FORMATS['rinna-3.6b'] as ChatFormat;
const bilingual = CHAT_FORMATS['rinna-bilingual'] as ChatFormat;
const textParts = (messages: Message[], format: ChatFormat): TextPart[] =>
  renderPrompt(messages, format).map((part) => {
    if (!('text' in part)) throw new Error('an image');
    return part;
  });
const text = (messages: Message[], format: ChatFormat): string =>
  textParts(messages, format)
    .map((part) => part.text)
    .join('');

const talk: Message[] = [
  { role: 'user', content: '日本のおすすめの観光地を教えてください。' },
  { role: 'assistant', content: 'どの地域の観光地が知りたいですか？' },
  { role: 'user', content: '渋谷の観光地を\n教えてください。' },
];

test('renders the prompts of the model cards', () => {
  expect(text(talk, rinna)).toBe(
    'ユーザー: 日本のおすすめの観光地を教えてください。<NL>システム: どの地域の観光地が知りたいですか？<NL>' +
      'ユーザー: 渋谷の観光地を<NL>教えてください。<NL>システム: ',
  );
  expect(text(talk.slice(2), bilingual)).toBe('ユーザー: 渋谷の観光地を\n教えてください。\nシステム: ');
});

test('every kind of line break becomes the format’s', () => {
  expect(text([{ role: 'user', content: 'a\r\nb\rc\n$&' }], rinna)).toBe(
    'ユーザー: a<NL>b<NL>c<NL>$&<NL>システム: ',
  );
  expect(text([{ role: 'user', content: 'a\r\nb' }], bilingual)).toBe('ユーザー: a\r\nb\nシステム: ');
});

test('a last message of the assistant is continued', () => {
  expect(text([...talk.slice(2), { role: 'assistant', content: '渋谷' }], bilingual)).toBe(
    'ユーザー: 渋谷の観光地を\n教えてください。\nシステム: 渋谷',
  );
});

test('a system message is an instruction that the model has accepted', () => {
  const messages: Message[] = [
    { role: 'system', content: '短く答えてください。' },
    { role: 'user', content: 'a' },
  ];
  expect(text(messages, rinna)).toBe(
    'ユーザー: 短く答えてください。<NL>システム: 分かりました。<NL>ユーザー: a<NL>システム: ',
  );
  const { systemReply: _, ...without } = rinna;
  expect(() => renderPrompt(messages, without)).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
});

test('special tokens count in the template and not in contents', () => {
  const tokenizer = new Tokenizer({ pieces: new FakeTokenizer(), config: JSON.stringify(RINNA_CONFIG) });
  const format: ChatFormat = { name: 'own', user: '', assistant: '<s>', separator: '</s>' };
  const ids = tokenizer.encodeParts(textParts([{ role: 'user', content: 'a</s>b' }], format));
  expect(ids.map((id) => tokenizer.idToToken(id))).toEqual(['a', '<', '/', 's', '>', 'b', '</s>', '<s>']);
  // Where there are none, the ids are those of the whole text.
  const messages: Message[] = [{ role: 'user', content: ' 猫は\nab ' }];
  expect(tokenizer.encodeParts(textParts(messages, bilingual))).toEqual(
    tokenizer.encode(text(messages, bilingual), { addSpecialTokens: false }),
  );
});

test.each([
  ['rinna/japanese-gpt-neox-3.6b-instruction-sft', 'rinna-3.6b', { temperature: 0.8, maxNewTokens: 128 }],
  [
    'rinna/japanese-gpt-neox-3.6b-instruction-sft-v2',
    'rinna-3.6b',
    { temperature: 0.7, repetitionPenalty: 1.1, maxNewTokens: 128 },
  ],
  [
    'rinna/japanese-gpt-neox-3.6b-instruction-ppo',
    'rinna-3.6b',
    { temperature: 0.7, repetitionPenalty: 1.1 },
  ],
  ['/models/Bilingual-GPT-NeoX-4b-instruction-sft', 'rinna-bilingual', { topP: 0.85, maxNewTokens: 512 }],
  ['bilingual-gpt-neox-4b-minigpt4', 'rinna-minigpt4', { temperature: 1 }],
  ['line-corporation/japanese-large-lm-3.6b-instruction-sft', 'line', {}],
  ['rinna/japanese-gpt-neox-3.6b', undefined, {}],
  ['rinna/bilingual-gpt-neox-4b-8k', undefined, {}],
])('%s has the format %s', (name, format, defaults) => {
  expect(detectChatFormat({ names: [undefined, name] })?.name).toBe(format);
  expect(cardDefaults([name])).toMatchObject(defaults);
});

test('a format that the file names comes before any guess', () => {
  const names = ['rinna/japanese-gpt-neox-3.6b-instruction-ppo'];
  expect(detectChatFormat({ names, format: 'rinna-bilingual' })).toBe(bilingual);
  for (const format of ['rinna', 'constructor']) {
    expect(() => detectChatFormat({ names, format })).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_FORMAT_VALUE' }),
    );
  }
  expect(detectChatFormat({})).toBeUndefined();
  expect(cardDefaults([])).toEqual({});
});

describe('images', () => {
  const minigpt4 = CHAT_FORMATS['rinna-minigpt4'] as ChatFormat;
  const image = Float32Array.of(1, 2, 3);

  test('stand where the card has <ImageHere>, and texts between them join', () => {
    const messages: Message[] = [
      { role: 'user', content: [{ embeddings: image }, { text: ' What is' }, { text: ' this?' }] },
      { role: 'assistant', content: 'a cat' },
      { role: 'user', content: [{ text: '<ImageHere>\n' }, { embeddings: image }] },
    ];
    const template = (text: string) => ({ text, splitSpecialTokens: false });
    const words = (text: string) => ({ text, splitSpecialTokens: true });
    expect(renderPrompt(messages, minigpt4)).toEqual([
      template('ユーザー: <Img>'),
      { embeddings: image, name: 'messages[0].content[0].embeddings' },
      template('</Img>'),
      words(' What is this?'),
      template('\nシステム: '),
      words('a cat'),
      template('\nユーザー: '),
      words('<ImageHere>\n'),
      template('<Img>'),
      { embeddings: image, name: 'messages[2].content[1].embeddings' },
      template('</Img>\nシステム: '),
    ]);
  });

  test('are copied, so that the caller may reuse the array', () => {
    const own = Float32Array.of(1);
    const [, part] = renderPrompt([{ role: 'user', content: [{ embeddings: own }] }], minigpt4);
    own[0] = 2;
    expect(part).toMatchObject({ embeddings: Float32Array.of(1) });
  });

  test('are an error in a format without them, and wrong parts are, too', () => {
    const render = (content: unknown, format = minigpt4) =>
      renderPrompt([{ role: 'user', content: content as string }], format);
    expect(() => render([{ embeddings: image }], rinna)).toThrow("'rinna-3.6b' has no images");
    expect(() => render([{ embeddings: [1] }])).toThrow(
      'Float32Array for `messages[0].content[0].embeddings`',
    );
    expect(() => render([{ text: 1 }])).toThrow('`messages[0].content[0].text`');
    expect(() => render([{ text: 'a', embeddings: image }])).toThrow('either text or embeddings');
    expect(() => render([{}])).toThrow('either text or embeddings');
    expect(() => render([{ image }])).toThrow('Unknown option `image`');
    expect(() => render(['a'])).toThrow('`messages[0].content[0]`');
  });
});

test('formats of the caller’s own are checked', () => {
  const own = { name: 'own', user: 'U: ', assistant: 'A: ', separator: '\n' };
  expect(resolveChatFormat(own)).toEqual(own);
  expect(() => resolveChatFormat({ ...own, user: 1 })).toThrow('chatFormat.user');
  expect(() => resolveChatFormat({ ...own, newLine: '' })).toThrow('Did you mean `newline`?');
  for (const image of ['<Img></Img>', '<ImageHere><ImageHere>']) {
    expect(() => resolveChatFormat({ ...own, image })).toThrow('chatFormat.image');
  }
  expect(resolveChatFormat({ ...own, image: '<ImageHere>' }).image).toBe('<ImageHere>');
  expect(() => resolveChatFormat('rinna-3.6')).toThrow('Did you mean `rinna-3.6b`?');
  expect(() => resolveChatFormat('constructor')).toThrow('chatFormat');
  expect(() => resolveChatFormat(null)).toThrow('chatFormat');
});

test('messages are checked', () => {
  const wrong = (messages: unknown) => () => renderPrompt(messages as Message[], rinna);
  expect(wrong([])).toThrow('at least one message');
  expect(wrong('hello')).toThrow('`messages`');
  expect(wrong([{ role: 'user' }])).toThrow('`messages[0].content`');
  expect(wrong([talk[0], { role: 'bot', content: '' }])).toThrow('`messages[1].role`');
  expect(wrong([null])).toThrow('`messages[0]`');
});

test('the model’s line breaks are given back', () => {
  expect(outputReplacements(rinna)).toEqual([['<NL>', '\n']]);
  expect(outputReplacements(bilingual)).toEqual([]);
});
