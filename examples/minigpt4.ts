// Asks about an image whose embeddings were made elsewhere (docs/minigpt4.md): node minigpt4.js [model] [image.f32] [question]
// Without arguments the demo model answers, and the embeddings of 32 tokens stand for an image: a run without a picture.

import { readFileSync } from 'node:fs';
import { demoModelPath, Model } from 'gpt-neox';

const IMAGE_ROWS = 32;

function readImage(path: string, hiddenSize: number): Float32Array {
  const image = new Float32Array(new Uint8Array(readFileSync(path)).buffer);
  if (image.length === IMAGE_ROWS * hiddenSize) return image;
  throw new Error(`${path} has ${image.length} values, not ${IMAGE_ROWS} x ${hiddenSize}`);
}

async function main(path = demoModelPath(), file?: string, question = 'What can you see?'): Promise<void> {
  const model = await Model.load(path, { chatFormat: 'rinna-minigpt4' });
  const { hiddenSize } = model.config;
  const standIn = Array.from({ length: IMAGE_ROWS }, (_, i) => 100 + i);
  const embeddings = file ? readImage(file, hiddenSize) : (await model.inputEmbeddings(standIn)).data;

  // The session keeps the image, so the second question brings only itself.
  const session = model.createSession();
  const options = { doSample: true, temperature: 1, topP: 0.85, topK: 50, maxNewTokens: 200, seed: 1 };
  const first = [{ role: 'user', content: [{ embeddings }, { text: ` ${question}` }] }] as const;
  console.log((await session.chat(first, options).result()).text);
  const next = [{ role: 'user', content: '猫はどんな体勢をしていますか？' }] as const;
  console.log((await session.chat(next, options).result()).text);
  console.log(`(${session.position} of ${model.info.contextLength} positions)`);
  session.dispose();
  await model.dispose();
}

void main(...process.argv.slice(2));
