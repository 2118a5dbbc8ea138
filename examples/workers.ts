// A model in several worker threads, whose weights are in memory once: node workers.js [model]

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { demoModelPath, Model } from 'gpt-neox';

const questions = ['富士山の高さは?', '日本の首都は?', 'What is the capital of Japan?'];

// Each has an engine and threads of its own; in one thread, calls of one model would share batches and be faster.
async function work({ path, question }: { path: string; question: string }): Promise<void> {
  const model = await Model.load(path, { threads: 1 });
  const { text } = await model.chat([{ role: 'user', content: question }], { temperature: 0 }).result();
  parentPort?.postMessage(text);
  await model.dispose();
}

async function main(path = demoModelPath()): Promise<void> {
  const answers = questions.map((question) => {
    const worker = new Worker(__filename, { workerData: { path, question } });
    return new Promise<string>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    console.log(`${questions[index]} ${answer}`);
  }
}

void (isMainThread ? main(...process.argv.slice(2)) : work(workerData));
