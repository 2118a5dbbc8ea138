// Holds the demo model to the list of questions that its README promises, and the list to the training corpus.

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { demoModelPath, type Message, Model } from '../../lib/index.js';

interface Question {
  question: string;
  accept: string[];
  unseen: boolean;
}

const listPath = join('test', 'fixtures', 'demo_questions.json');
const list = JSON.parse(readFileSync(listPath, 'utf8')) as {
  questions: Question[];
  chat: { user: string; accept: string[] }[];
};
const isJapanese = (text: string): boolean => /[\u3040-\u30ff\u4e00-\u9fff]/.test(text);

let model: Model;
beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

async function answer(messages: Message[]): Promise<string> {
  return (await model.chat(messages, { temperature: 0, maxNewTokens: 200 }).result()).text;
}

test('the file is at most 6 MB', () => {
  expect(statSync(demoModelPath()).size).toBeLessThanOrEqual(6e6);
});

test('the list has at least 60 questions, half of them Japanese, at least 20 of them unseen in training', () => {
  const japanese = list.questions.filter(({ question }) => isJapanese(question)).length;
  expect(list.questions.length).toBeGreaterThanOrEqual(60);
  expect(japanese / list.questions.length).toBeGreaterThan(0.4);
  expect(japanese / list.questions.length).toBeLessThan(0.6);
  expect(list.questions.filter(({ unseen }) => unseen).length).toBeGreaterThanOrEqual(20);
});

test('what is called unseen is absent from the corpus', () => {
  const python = process.env.NEOX_PYTHON ?? (process.platform === 'win32' ? 'python' : 'python3');
  const done = spawnSync(python, [join('scripts', 'demo_corpus.py'), '--check', listPath], {
    encoding: 'utf8',
  });
  expect(`${done.error ?? ''}${done.status === 0 ? '' : done.stdout + done.stderr}`).toBe('');
}, 120_000);

test.each(list.questions)('answers $question', async ({ question, accept }) => {
  const text = await answer([{ role: 'user', content: question }]);
  for (const wanted of accept) expect(text).toContain(wanted);
});

test('a chat of several turns stays coherent', async () => {
  const messages: Message[] = [];
  const session = model.createSession();
  for (const { user, accept } of list.chat) {
    messages.push({ role: 'user', content: user });
    const text = await answer(messages);
    for (const wanted of accept) expect(text).toContain(wanted);
    messages.push({ role: 'assistant', content: text });
    // A session that is told only what is new answers the same.
    const told = session.chat([{ role: 'user', content: user }], { temperature: 0, maxNewTokens: 200 });
    expect((await told.result()).text).toBe(text);
  }
  session.dispose();
});
