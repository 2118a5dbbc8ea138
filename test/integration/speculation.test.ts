// Prompt lookup on the demo model: rewriting a text that stands in the prompt takes fewer passes, and gives the same tokens.

import { demoModelPath, type GenerateOptions, Model, type Result } from '../../lib/index.js';

const texts = [
  'I saw a red book in the park yesterday and my mother bought the old lamp near the station.',
  'The teacher opened the window at school this morning because the old man wanted a quiet garden.',
  '昨日は母は公園で白い花を見つけました。そして、父は駅の前で古い話を聞きました。',
];
const prompts = [
  `Copy this text: ${texts[0]}`,
  `Please copy the following text exactly.\n${texts[1]}`,
  `次の文を繰り返してください。\n${texts[2]}`,
];
const drafts = [undefined, 1, 4, 15, 64];

let model: Model;
beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

function ask(prompt: string, draft: number | undefined, options: GenerateOptions = {}): Promise<Result> {
  const settings = { temperature: 0, maxNewTokens: 200, ...options };
  const lookup = draft === undefined ? {} : { promptLookupNumTokens: draft };
  return model.chat([{ role: 'user', content: prompt }], { ...settings, ...lookup }).result();
}

const outcome = ({ text, tokens, finishReason, usage }: Result) => ({ text, tokens, finishReason, usage });

test('the demo model copies these texts, and most of a copy is drafted rightly', async () => {
  let [tokens, accepted] = [0, 0];
  for (const [index, prompt] of prompts.entries()) {
    const result = await ask(prompt, 8);
    expect(result.text).toBe(texts[index]);
    expect(result.timings.acceptedTokens).toBeLessThanOrEqual(result.timings.draftedTokens);
    tokens += result.tokenIds.length;
    accepted += result.timings.acceptedTokens;
  }
  // A token that was accepted is a pass that was saved.
  expect(accepted / tokens).toBeGreaterThan(0.6);
});

const cases: [string, GenerateOptions][] = [
  ['greedy', {}],
  ['greedy with log-probabilities', { logprobs: 3 }],
  ['sampled', { temperature: 0.8, topP: 0.95, seed: 7, logprobs: true }],
  ['penalised', { repetitionPenalty: 1.2, noRepeatNgramSize: 5 }],
  ['cut by maxNewTokens', { maxNewTokens: 9 }],
  ['cut by a stop string', { stop: ['park', 'morning', '公園'] }],
  ['without an end', { eosTokenId: null, maxNewTokens: 300 }],
];
test.each(cases)('drafts change nothing: %s', async (_, options) => {
  for (const prompt of prompts) {
    const plain = await ask(prompt, 0, options);
    expect(plain.timings).toMatchObject({ draftedTokens: 0, acceptedTokens: 0 });
    for (const draft of drafts) expect(outcome(await ask(prompt, draft, options))).toEqual(outcome(plain));
  }
});

test('several calls at once give what each gives alone', async () => {
  const alone: object[] = [];
  for (const prompt of prompts) alone.push(outcome(await ask(prompt, 0, { logprobs: 2 })));
  const together = await Promise.all(
    [...prompts, ...prompts].map((prompt, index) => ask(prompt, drafts[index % 5], { logprobs: 2 })),
  );
  expect(together.map(outcome)).toEqual([...alone, ...alone]);
});

test('a session stands where it would without drafts, also after break', async () => {
  const talk = async (promptLookupNumTokens: number) => {
    const session = model.createSession();
    const options = { temperature: 0, maxNewTokens: 60, promptLookupNumTokens };
    // Without an eos it cannot have ended, and the session dropped its eos, before the loop is left.
    const endless = { ...options, eosTokenId: null };
    const seen: unknown[] = [];
    let count = 0;
    for await (const { tokens } of session.chat([{ role: 'user', content: prompts[0] ?? '' }], endless)) {
      count += tokens.length;
      if (count >= 10) break;
    }
    session.truncate(session.position - count + 10);
    seen.push(session.position, (await session.generate([], options).result()).tokenIds, session.position);
    for (const content of prompts.slice(1)) {
      seen.push((await session.chat([{ role: 'user', content }], options).result()).tokenIds);
    }
    seen.push(session.position);
    session.dispose();
    return seen;
  };
  const plain = await talk(0);
  for (const draft of [3, 15]) expect(await talk(draft)).toEqual(plain);
});

test('nothing is drafted beside a logitsProcessor', async () => {
  const result = await ask(prompts[0] ?? '', 8, { logitsProcessor: () => undefined });
  expect(result.text).toBe(texts[0]);
  expect(result.timings.draftedTokens).toBe(0);
});
