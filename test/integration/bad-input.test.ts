// What callers get wrong, one table: each mistake is a typed error that names what was wrong, and the session goes on as if
// the call had never been.

import {
  demoModelPath,
  type GenerateOptions,
  type Generation,
  Model,
  NeoxError,
  type Prompt,
  type Session,
} from '../../lib/index.js';

const CONTEXT = 128;
const greedy: GenerateOptions = { temperature: 0, eosTokenId: null, maxNewTokens: 2 };
const held = [9, 8, 7];
const INVALID = 'ERR_NEOX_INVALID_ARGUMENT';
const FULL = 'ERR_NEOX_CONTEXT_FULL';
const NAN = 'ERR_NEOX_NAN';
let model: Model;
let expected: number[]; // how the session goes on, four ids
let vocab: number;
let hidden: number;

beforeAll(async () => {
  model = await Model.load(demoModelPath(), { precision: 'exact', contextLength: CONTEXT, maxSequences: 2 });
  vocab = model.config.vocabSize;
  hidden = model.config.hiddenSize;
  expected = (await model.generate(held, { ...greedy, maxNewTokens: 4 }).result()).tokenIds;
});
afterAll(() => model.dispose());

/** A session that holds something. */
async function begun(): Promise<Session> {
  const session = model.createSession();
  await session.generate(held, greedy).result();
  return session;
}

/** The error of the call, thrown at once or when it is read. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    const returned = call();
    await (returned instanceof Object && 'result' in returned ? (returned as Generation).result() : returned);
  } catch (error) {
    return error;
  }
  throw new Error('there was no error');
}

async function expectUntouched(session: Session): Promise<void> {
  expect(session.tokenIds).toEqual([...held, ...expected.slice(0, 2)]);
  const { tokenIds } = await session.generate([], greedy).result();
  expect(tokenIds).toEqual(expected.slice(2));
}

async function expectError(
  call: (session: Session) => unknown,
  code: string,
  parts: readonly string[],
): Promise<void> {
  const session = await begun();
  const error = await errorOf(() => call(session));
  expect(error).toBeInstanceOf(NeoxError);
  expect(error).toMatchObject({ code });
  for (const part of parts) expect((error as Error).message).toContain(part);
  await expectUntouched(session);
  session.dispose();
}

const block = (rows: number, plant?: [index: number, value: number]): Float32Array => {
  const values = new Float32Array(rows * hidden);
  if (plant) values[plant[0]] = plant[1];
  return values;
};

// What is wrong, the prompt, the code, and what the message must contain.
const prompts: [string, () => unknown, string, string[]][] = [
  ['an id beyond the vocabulary', () => [1, vocab], INVALID, ['`prompt[1]`', '2500', '2499']],
  ['a negative id', () => [-1], INVALID, ['`prompt[0]`', '-1']],
  ['an id that is no integer', () => [1.5], INVALID, ['`prompt[0]`', '1.5']],
  ['an id that is no number', () => ['a'], INVALID, ['`prompt[0]`', "'a'"]],
  ['an id of 2^32', () => Uint32Array.of(4294967295), INVALID, ['`prompt[0]`', '4294967295']],
  ['a hole in the ids', () => new Array(2), INVALID, ['`prompt[0]`', 'undefined']],
  ['a lone surrogate', () => 'a\ud800b', INVALID, ['`prompt`', 'U+D800', 'index 1']],
  ['one in a segment', () => [{ ids: [1] }, { text: '\udc00' }], INVALID, ['`prompt[1]`', 'U+DC00']],
  [
    'embeddings of a wrong width',
    () => [{ embeddings: new Float32Array(hidden + 1) }],
    INVALID,
    ['`prompt`', '256', '257'],
  ],
  [
    'embeddings without a row',
    () => [{ ids: [1] }, { embeddings: new Float32Array() }],
    INVALID,
    ['`prompt[1]`', '256'],
  ],
  [
    'a NaN in the embeddings',
    () => [{ embeddings: block(3, [2 * hidden + 7, Number.NaN]) }],
    INVALID,
    ['row 2 of 3', 'nan', 'index 7'],
  ],
  [
    'an infinity in them',
    () => [{ embeddings: block(1, [0, Number.NEGATIVE_INFINITY]) }],
    INVALID,
    ['row 0 of 1', '-inf'],
  ],
  [
    'embeddings of another type',
    () => [{ embeddings: new Float64Array(hidden) }],
    INVALID,
    ['`prompt`', 'Float32Array', 'Float64Array'],
  ],
  ['embeddings that are no segment', () => block(1), INVALID, ['[{ embeddings }]']],
  [
    'a segment of two kinds',
    () => [{ text: 'a', ids: [1] }],
    INVALID,
    ['`prompt`', 'one of text, ids and embeddings'],
  ],
  ['a segment of none', () => [{ txt: 'a' }], INVALID, ['txt', 'text']],
  ['null', () => null, INVALID, ['`prompt`', 'null']],
  ['nothing', () => undefined, INVALID, ['`prompt`', 'undefined']],
  ['more ids than the context holds', () => new Array(CONTEXT + 1).fill(5), FULL, ['129', '128']],
  ['more than fit behind what is held', () => new Array(CONTEXT - 5).fill(5), FULL, ['128']],
  ['a text beyond the context', () => '富士山'.repeat(200), FULL, ['128']],
  ['embeddings beyond the context', () => [{ embeddings: block(CONTEXT + 1) }], FULL, ['129', '128']],
];

describe.each(prompts)('a prompt: %s', (_, prompt, code, parts) => {
  test('is an error, and the session goes on', () =>
    expectError((session) => session.generate(prompt() as Prompt, greedy), code, parts));
});

const aborted = AbortSignal.abort();
const all = (): number[] => Array.from({ length: vocab }, (_, id) => id);
// The options, the code, and what the message must contain.
const options: [() => object, string, string[]][] = [
  [() => ({ maxNewTokens: 0 }), INVALID, ['`maxNewTokens`', '0']],
  [() => ({ maxNewTokens: 2.5 }), INVALID, ['`maxNewTokens`', '2.5']],
  [() => ({ maxNewTokens: CONTEXT }), FULL, ['128 new tokens']],
  [() => ({ minNewTokens: 9, maxNewTokens: 8 }), INVALID, ['`minNewTokens: 9`', '`maxNewTokens: 8`']],
  [() => ({ temperature: -0.1 }), INVALID, ['`temperature`', '-0.1']],
  [() => ({ temperature: Number.NaN }), INVALID, ['`temperature`', 'NaN']],
  [() => ({ temperature: '0.7' }), INVALID, ['`temperature`', "'0.7'", 'string']],
  [() => ({ temperature: 0, topP: 0.5 }), INVALID, ['`temperature: 0`', '`topP: 0.5`']],
  [() => ({ temperature: 0, doSample: true }), INVALID, ['`temperature: 0`', '`doSample: true`']],
  [() => ({ temperature: 1, topK: -1 }), INVALID, ['`topK`', '-1']],
  [() => ({ temperature: 1, topP: 1.5 }), INVALID, ['`topP`', '1.5']],
  [() => ({ temperature: 1, typicalP: 0 }), INVALID, ['`typicalP`', '0']],
  [() => ({ temperature: 1, epsilonCutoff: 1 }), INVALID, ['`epsilonCutoff`', '1']],
  [() => ({ repetitionPenalty: 0 }), INVALID, ['`repetitionPenalty`', '0']],
  [() => ({ noRepeatNgramSize: -2 }), INVALID, ['`noRepeatNgramSize`', '-2']],
  [() => ({ badWordsIds: [[]] }), INVALID, ['`badWordsIds[0]`']],
  [() => ({ suppressTokens: [vocab] }), INVALID, ['suppressTokens', '2500']],
  [() => ({ suppressTokens: all() }), NAN, ['Every token is excluded']],
  [() => ({ sequenceBias: [[[1], Number.NaN]] }), INVALID, ['`sequenceBias[0][1]`', 'NaN']],
  [() => ({ forcedBosTokenId: vocab }), INVALID, ['forcedBosTokenId', '2500']],
  [() => ({ eosTokenId: -1 }), INVALID, ['`eosTokenId`', '-1']],
  [() => ({ eosTokenId: vocab }), INVALID, ['eosTokenId', '2500']],
  [() => ({ seed: -1 }), INVALID, ['`seed`', '-1']],
  [() => ({ stop: '' }), INVALID, ['`stop`', "''"]],
  [() => ({ stop: ['a', '\ud800'] }), INVALID, ['`stop`', 'U+D800']],
  [() => ({ maxTime: 0 }), INVALID, ['`maxTime`', '0']],
  [() => ({ text: 'all' }), INVALID, ['`text`', "'all'", "'continuation'"]],
  [() => ({ skipSpecialTokens: 1 }), INVALID, ['`skipSpecialTokens`', '1']],
  [() => ({ preset: 'none' }), INVALID, ['`preset`', "'none'"]],
  [() => ({ logprobs: 21 }), INVALID, ['`logprobs`', '21']],
  [() => ({ logprobs: 'all' }), INVALID, ['`logprobs`', "'all'", 'integer']],
  [() => ({ logitsProcessor: 'x' }), INVALID, ['`logitsProcessor`', "'x'"]],
  [() => ({ signal: {} }), INVALID, ['`signal`']],
  [() => ({ max_new_tokens: 5 }), INVALID, ['max_new_tokens', '`maxNewTokens`']],
];

test.each(options)('options %#: an error, and the session goes on', (given, code, parts) => {
  const { temperature: _, ...others } = greedy;
  const own = given();
  const whole = 'temperature' in own ? { ...others, ...own } : { ...greedy, ...own };
  return expectError((session) => session.generate([5], whole as GenerateOptions), code, parts);
});

test.each<[string, (session: Session) => unknown, string[]]>([
  ['no options', (session) => session.generate([5], null as never), ['options of Session.generate', 'null']],
  [
    'a lone surrogate in a message',
    (session) => session.chat([{ role: 'user', content: '\ud83d' }]),
    ['`messages[0].content`', 'U+D83D'],
  ],
  ['no message', (session) => session.chat([]), ['`messages`']],
  [
    'an unknown role',
    (session) => session.chat([{ role: 'bot' as never, content: '' }]),
    ['`messages[0].role`', "'bot'"],
  ],
  ['a position beyond the session', (session) => session.truncate(99), ['`position`', '99']],
  [
    'a position of the prompt that is none',
    () => model.logits([1, 2], { positions: [2] }),
    ['`positions[0]`', '2'],
  ],
  ['positions that fall', () => model.hiddenStates([1, 2], { positions: [1, 0] }), ['`positions[1]`', '0']],
  ['a score after nothing', () => model.score('', 'a'), ['`context`']],
  ['a score of embeddings', () => model.score('a', [{ embeddings: block(1) }] as never), ['`continuation']],
  ['an id without an embedding', () => model.inputEmbeddings([vocab]), ['`ids[0]`', '2500']],
  ['an empty prompt where nothing is held', () => model.generate([], greedy), ['prompt is empty']],
  ['an empty text', () => model.generate('', greedy), ['prompt is empty']],
])('%s is an error, and the session goes on', (_, call, parts) => expectError(call, INVALID, parts));

test('a conversation beyond the context is an error, and the session goes on', () =>
  expectError((session) => session.chat([{ role: 'user', content: 'あ'.repeat(300) }]), FULL, ['128']));

describe('a logitsProcessor', () => {
  const boom = new Error('mine');
  test.each<[string, () => unknown, unknown]>([
    [
      'that throws',
      () => {
        throw boom;
      },
      boom,
    ],
    [
      'that throws no error',
      () => {
        throw 'text';
      },
      'text',
    ],
    [
      'that is asynchronous',
      async () => undefined,
      expect.objectContaining({ code: INVALID, message: expect.stringContaining('synchronous') }),
    ],
    ['that rejects', () => Promise.reject(boom), expect.objectContaining({ code: INVALID })],
  ])('%s ends the call with it, and the session goes on', async (_, logitsProcessor, error) => {
    const session = await begun();
    const given = { ...greedy, logitsProcessor } as GenerateOptions;
    expect(await errorOf(() => session.generate([5], given))).toEqual(error);
    await expectUntouched(session);
    session.dispose();
  });

  test('that leaves no number is an error, and the session goes on', () =>
    expectError(
      (session) =>
        session.generate([5], {
          ...greedy,
          logitsProcessor: (_, scores) => void scores.fill(Number.NaN, 3, 4),
        }),
      NAN,
      ['token 3'],
    ));

  test('that throws later leaves the session at the last token delivered', async () => {
    const session = await begun();
    let calls = 0;
    const logitsProcessor = (): void => {
      if (++calls === 3) throw boom;
    };
    const generation = session.generate([], { ...greedy, maxNewTokens: 9, logitsProcessor });
    const delivered: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const { tokens } of generation) delivered.push(...tokens.map(({ id }) => id));
    };
    await expect(reading()).rejects.toBe(boom);
    expect(delivered).toEqual(expected.slice(2));
    expect(session.tokenIds).toEqual([...held, ...expected]);
    session.truncate(held.length + 2);
    await expectUntouched(session);
    session.dispose();
  });
});

test('a signal that is aborted already rejects with its reason before any work, and the session goes on', async () => {
  const session = await begun();
  const reason = new Error('why');
  for (const [signal, error] of [
    [aborted, aborted.reason],
    [AbortSignal.abort(reason), reason],
  ] as const) {
    expect(await errorOf(() => session.generate([5], { ...greedy, signal }))).toBe(error);
  }
  await expectUntouched(session);
  session.dispose();
});

test('a mistake in one call leaves those that run beside it alone', async () => {
  const options = { ...greedy, maxNewTokens: 4 };
  const running = model.generate(held, options).result();
  const mistakes = prompts.map(([, prompt]) =>
    errorOf(() => model.generate(prompt() as Prompt, { ...greedy, maxNewTokens: 100 })),
  );
  for (const error of await Promise.all(mistakes)) expect(error).toBeInstanceOf(NeoxError);
  expect((await running).tokenIds).toEqual(expected);
});
