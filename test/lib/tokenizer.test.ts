import { Tokenizer } from '../../lib/tokenizer';
import { Trie } from '../../lib/trie';
import { FakeTokenizer, RINNA_CONFIG } from './fake-tokenizer';

function make(config: object = {}, flags = {}): { tokenizer: Tokenizer; native: FakeTokenizer } {
  const native = new FakeTokenizer(flags);
  return {
    tokenizer: new Tokenizer({ pieces: native, config: JSON.stringify({ ...RINNA_CONFIG, ...config }) }),
    native,
  };
}

const token = (content: string, flags: object = {}): object => ({ content, special: true, ...flags });

describe('encode', () => {
  test('keeps the whitespace around special tokens', () => {
    const { tokenizer } = make();
    expect(tokenizer.tokenize('<s> a </s> b ')).toEqual(['<s>', '▁a', '▁', '</s>', '▁', 'b', '▁']);
    expect(tokenizer.tokenize('  吾は  猫である ')).toEqual(['▁▁', '吾', 'は', '▁▁', '猫', 'である', '▁']);
    expect(tokenizer.tokenize('')).toEqual([]);
  });

  test('appends the eos token unless it is there', () => {
    const { tokenizer } = make();
    expect(tokenizer.encode('')).toEqual([3]);
    expect(tokenizer.encode('a</s>')).toEqual([tokenizer.tokenToId('a'), 3]);
    expect(tokenizer.encode('</s>a').at(-1)).toBe(3);
    expect(tokenizer.encode('</s>a', { addSpecialTokens: false })).toEqual([3, tokenizer.tokenToId('a')]);
    expect(make({ eos_token: null }).tokenizer.encode('')).toEqual([]);
  });

  test('takes special tokens as text on demand', () => {
    const { tokenizer } = make();
    const spelled = ['<', '/', 's', '>'];
    expect(tokenizer.tokenize('</s>', { splitSpecialTokens: true })).toEqual(spelled);
    expect(make({ split_special_tokens: true }).tokenizer.tokenize('</s>')).toEqual(spelled);
    expect(tokenizer.encode('a</s>', { splitSpecialTokens: true }).at(-1)).toBe(3); // appended
    expect(tokenizer.encode('a</s>', { splitSpecialTokens: true })).toHaveLength(6);
  });

  test('asks sentencepiece once for text without special tokens', () => {
    const { tokenizer, native } = make();
    native.calls = [];
    tokenizer.encode('吾は猫である。ab < c > /s');
    expect(native.calls).toEqual(['吾は猫である。ab < c > /s']);
  });

  test('looks the text of an unknown run up by name without byte fallback', () => {
    const { tokenizer } = make({}, { byteFallback: false });
    expect(tokenizer.tokenize('aあb')).toEqual(['a', 'あ', 'b']);
    expect(tokenizer.encode('あ', { addSpecialTokens: false })).toEqual([1]);
  });

  test('segments parts as the joined text, with added tokens only where they are allowed', () => {
    const { tokenizer } = make();
    const part = (text: string, splitSpecialTokens: boolean) => ({ text, splitSpecialTokens });
    const encode = (...parts: ReturnType<typeof part>[]) =>
      tokenizer.encodeParts(parts).map((id) => tokenizer.idToToken(id));
    expect(encode(part('a', false), part('b', true), part('c', false))).toEqual(['ab', 'c']);
    expect(encode(part('</s>a', false), part('</s>', true), part('</s>', false))).toEqual([
      ...['</s>', 'a', '<', '/', 's', '>', '</s>'],
    ]);
    expect(encode(part('<', false), part('/s>', true))).toEqual(['<', '/', 's', '>']);
  });

  test('strips and joins the neighbours of tokens with flags', () => {
    const at = (flags: object) => ({ added_tokens_decoder: { 900: token('<x>', flags) } });
    const text = 'a \u3000<x>\u0085 b';
    expect(
      make(at({ lstrip: true }))
        .tokenizer.tokenize(text)
        .slice(0, 2),
    ).toEqual(['a', '<x>']);
    expect(
      make(at({ rstrip: true }))
        .tokenizer.tokenize(text)
        .slice(-2),
    ).toEqual(['<x>', 'b']);
    expect(make(at({ single_word: true })).tokenizer.tokenize('a<x>')).toEqual(['a', '<', '<0x78>', '>']);
    expect(make(at({ single_word: true })).tokenizer.tokenize('a <x> b')).toContain('<x>');
  });

  test('takes what is left of a stripped token for what it says', () => {
    const tokens = (more: object) => ({
      added_tokens_decoder: { 900: token('<x>', { rstrip: true }), 901: token(' b'), ...more },
    });
    const ids = (config: object) => make(config).tokenizer.encode('a<x> b', { addSpecialTokens: false });
    const { tokenizer } = make();
    expect(ids(tokens({}))).toEqual([tokenizer.tokenToId('a'), 900, tokenizer.tokenToId('b')]);
    expect(ids(tokens({ 902: token('b') }))).toEqual([tokenizer.tokenToId('a'), 900, 902]);
  });

  test('encodes text apart that the trie cuts out, though it is no token', () => {
    const { tokenizer, native } = make({ added_tokens_decoder: { 900: token('abXd'), 901: token('b') } });
    native.calls = [];
    expect(tokenizer.tokenize('cab😀Xdc').join('')).toBe('cab😀<0x58><0x64>c');
    expect(native.calls).toEqual(['c', 'ab😀Xd', 'c']);
  });

  test('gives a piece the id that it has as an added token', () => {
    const { tokenizer } = make({ added_tokens_decoder: { 900: token('は'), 264: token('<x>') } });
    const options = { addSpecialTokens: false };
    expect(tokenizer.encode('は<x>', options)).toEqual([900, 264]);
    expect(tokenizer.encode('はa', { ...options, splitSpecialTokens: true })).toEqual([
      900,
      tokenizer.tokenToId('a'),
    ]);
  });

  test('refuses half of a surrogate pair', () => {
    const { tokenizer } = make();
    for (const take of [
      () => tokenizer.encode('a\ud83d'),
      () => tokenizer.tokenize('\ude00a'),
      () => tokenizer.tokenToId('\ud800\ud800'),
      () => tokenizer.encodeParts([{ text: 'a\udfff', splitSpecialTokens: true }]),
    ]) {
      expect(take).toThrow(expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }));
    }
    expect(() => tokenizer.encode('ab\ud83dc')).toThrow('a lone surrogate (U+D83D) at index 2');
    expect(tokenizer.encode('😀\ufffd')).toHaveLength(5);
  });

  test('follows the legacy: false rules', () => {
    const { tokenizer } = make({ legacy: false }, { addDummyPrefix: true });
    expect(tokenizer.tokenize('a▁b')).toEqual(['▁a', '▁', 'b']);
    expect(tokenizer.tokenize('</s>b')).toEqual(['</s>', 'b']);
    expect(tokenizer.tokenize('c</s> b')).toEqual(['▁', 'c', '</s>', '▁', 'b']);
    expect(make({ legacy: false, add_prefix_space: false }).tokenizer.tokenize('c')).toEqual(['c']);
  });
});

describe('decode', () => {
  const { tokenizer } = make();
  const ids = (...tokens: string[]): number[] => tokens.map((name) => tokenizer.tokenToId(name));

  test('is the text of the ids, stripped', () => {
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode(ids('\n', '吾', 'は', '▁', '\n'))).toBe('吾は');
    expect(tokenizer.decode(Int32Array.from(ids('a', '▁', 'b')))).toBe('a b');
    expect(tokenizer.decode(tokenizer.encode('a 😀 გ'))).toBe('a 😀 გ</s>');
    expect(tokenizer.decode(tokenizer.encode('a 😀 გ'), { skipSpecialTokens: true })).toBe('a 😀 გ');
  });

  test('puts a space before the text before each but the first special token', () => {
    expect(tokenizer.decode(ids('猫', '</s>', '吾', '</s>'))).toBe('猫</s> 吾</s>');
    expect(tokenizer.decode(ids('猫', '</s>', '</s>', '吾'))).toBe('猫</s></s>吾');
  });

  test('strips what Python strips', () => {
    const bytes = (text: string): number[] => Array.from(Buffer.from(text), (byte) => 7 + byte);
    expect(tokenizer.decode(bytes('\u001c\u0085a\ufeff\u2003'))).toBe('a\ufeff');
  });

  test('cleans spaces up where the checkpoint or the caller says so', () => {
    const text = ids('a', '▁', '.', 'b', '▁', 'n', "'", 't');
    expect(tokenizer.decode(text)).toBe("a .b n't");
    expect(tokenizer.decode(text, { cleanUpTokenizationSpaces: true })).toBe("a.bn't");
    expect(make({ clean_up_tokenization_spaces: true }).tokenizer.decode(text)).toBe("a.bn't");
  });

  test('refuses ids that are none', () => {
    for (const wrong of [-1, tokenizer.vocabSize, 0.5, Number.NaN]) {
      expect(() => tokenizer.decode([wrong])).toThrow(
        expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
      );
    }
    expect(() => tokenizer.decode('abc' as never)).toThrow('a list of token ids');
    for (const wrong of [{ length: 1e9 }, Float32Array.of(5), ['length'], 3]) {
      expect(() => tokenizer.decode(wrong as never)).toThrow('`ids');
      expect(() => tokenizer.createDecodeStream().push(wrong as never)).toThrow('`ids');
      expect(() => tokenizer.createDecodeStream({ prompt: wrong as never })).toThrow('`prompt');
    }
    expect(() => tokenizer.decode([], { skipSpecialToken: true } as never)).toThrow(
      'Did you mean `skipSpecialTokens`?',
    );
  });
});

describe('tokenizer_config.json', () => {
  test('is completed by the files of older checkpoints, unless it lists its added tokens', () => {
    const { eos_token: _, pad_token: __, ...rest } = RINNA_CONFIG;
    const files = (config: object) => ({
      pieces: new FakeTokenizer(),
      config: JSON.stringify(config),
      specialTokensMap: JSON.stringify({
        eos_token: { content: '</s>', rstrip: true },
        pad_token: '[PAD]',
        additional_special_tokens: ['<x>', { content: '<y>' }],
      }),
      addedTokens: JSON.stringify({ '<x>': 900, '<w>': 901 }),
    });
    const tokenizer = new Tokenizer(files(rest));
    const ids = tokenizer.encode('</s> a<x>b<w>', { addSpecialTokens: false });
    expect(ids).toEqual([3, tokenizer.tokenToId('a'), 900, tokenizer.tokenToId('b'), 901]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('ab <w>');
    expect(tokenizer.padTokenId).toBe(0);
    const listed = new Tokenizer(files({ ...RINNA_CONFIG, added_tokens_decoder: {} }));
    expect(listed.encode('<x>', { addSpecialTokens: false })).not.toContain(900);
  });

  test('gives the special tokens their ids', () => {
    const { tokenizer } = make();
    expect([tokenizer.padTokenId, tokenizer.unkTokenId, tokenizer.bosTokenId, tokenizer.eosTokenId]).toEqual([
      ...[0, 1, 2, 3],
    ]);
    expect(tokenizer.allSpecialIds.sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(tokenizer.tokenToId('no such piece')).toBe(1);
    expect(tokenizer.idToToken(3)).toBe('</s>');
  });

  test('puts new special tokens behind the vocabulary', () => {
    const { tokenizer } = make({ additional_special_tokens: ['<img>'], extra_ids: 2 });
    const size = tokenizer.vocabSize;
    expect(['<img>', '<extra_id_0>', '<extra_id_1>'].map((name) => tokenizer.tokenToId(name))).toEqual([
      ...[size, size + 1, size + 2],
    ]);
    expect(tokenizer.decode([size, tokenizer.tokenToId('a')])).toBe('<img> a');
    // Without a list of its own, T5 numbers its sentinels downwards.
    const t5 = make({ additional_special_tokens: null, extra_ids: 2 }).tokenizer;
    expect(t5.tokenToId('<extra_id_0>')).toBe(size + 1);
    expect(t5.tokenToId('<extra_id_1>')).toBe(size);
  });

  test('is checked', () => {
    const broken = (json: string) => () => new Tokenizer({ pieces: new FakeTokenizer(), config: json });
    expect(broken('{')).toThrow(expect.objectContaining({ code: 'ERR_NEOX_FORMAT_SYNTAX' }));
    for (const config of [
      [],
      { extra_ids: -1 },
      { extra_ids: 1e9 },
      { eos_token: 3 },
      { eos_token: {} },
      { legacy: 'no' },
      { additional_special_tokens: 'a' },
      { additional_special_tokens: ['<extra_id_0>'], extra_ids: 2 },
      { added_tokens_decoder: [] },
      { added_tokens_decoder: { x: token('a') } },
      { added_tokens_decoder: { 5: 'a' } },
    ]) {
      expect(broken(JSON.stringify(config))).toThrow(
        expect.objectContaining({ code: 'ERR_NEOX_FORMAT_VALUE' }),
      );
    }
    expect(() => make({}, { hasDenormalizer: true })).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_UNSUPPORTED' }),
    );
  });

  test('takes a key that names a part of Object as any other', () => {
    const { tokenizer } = make(JSON.parse('{"__proto__":{"legacy":false},"constructor":1}'));
    expect(tokenizer.tokenize('a')).toEqual(['a']);
  });
});

// The expectations are what Trie.split of transformers 4.57.6 gives, its oddities included.
test.each([
  [
    ['[CLS]', 'extra_id_1', 'extra_id_100'],
    '[CLS] This is a extra_id_100',
    ['[CLS]', ' This is a ', 'extra_id_100'],
  ],
  [['A'], 'ABC', ['A', 'BC']],
  [['C'], 'ABC', ['AB', 'C']],
  [
    ['TOKEN]', '[SPECIAL_TOKEN]'],
    'This is something [SPECIAL_TOKEN]',
    ['This is something ', '[SPECIAL_TOKEN]'],
  ],
  [
    ['A', 'P', '[SPECIAL_TOKEN]'],
    'This is something [SPECIAL_TOKEN]',
    ['This is something ', '[SPECIAL_TOKEN]'],
  ],
  [['AB', 'B', 'C'], 'ABC', ['AB', 'C']],
  [['ABC', 'B', 'CD'], 'ABCD', ['ABC', 'D']],
  [['blowing', 'lower'], 'blower', ['b', 'lower']],
  [['abXd', 'b'], 'abqXd', ['abqXd']],
  [['abXd', 'b'], 'ab😀Xd', ['ab😀Xd']],
  [['😀', '😀😀'], 'a😀😀😀', ['a', '😀😀', '😀']],
  [['x'], '', []],
  [[], 'abc', ['abc']],
] as [string[], string, string[]][])('Trie of %j splits %j', (words, text, pieces) => {
  expect(new Trie(words).split(text)).toEqual(pieces);
});
