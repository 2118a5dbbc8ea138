// A session goes on from call to call; forks try several ways from one point, and files keep it: node sessions.js [model]

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const session = model.createSession();
  const say = async (content: string, of = session): Promise<string> =>
    (await of.chat([{ role: 'user', content }], { temperature: 0 }).result()).text;
  console.log(await say('富士山の高さは?'));

  // A fork shares what both have in common: it costs next to nothing, and the session stays as it is.
  for (const question of ['日本の首都は?', 'What is the capital of Japan?']) {
    const fork = session.fork();
    console.log(`${question} ${await say(question, fork)}`);
    fork.dispose();
  }

  // Back to an earlier point: the next answer begins there.
  const before = session.position;
  await say('こんにちは');
  session.truncate(before);

  const folder = await mkdtemp(join(tmpdir(), 'session-'));
  const file = join(folder, 'talk.neox');
  await session.save(file);
  const restored = await model.restoreSession(file);
  const [one, other] = [await say('ありがとう'), await say('ありがとう', restored)];
  console.log(`saved and restored at ${before}: ${one === other ? 'the same answer' : 'another answer'}`);

  restored.dispose();
  session.dispose();
  await model.dispose();
  await rm(folder, { recursive: true });
}

void main(...process.argv.slice(2));
