// Finds the text that is nearest to a question by vectors of the model's hidden states: node embeddings.js [model]

import { demoModelPath, Model } from 'gpt-neox';

const texts = ['富士山の高さは3776メートルです。', '日本の首都は東京です。', 'Good morning!'];

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

async function main(path = demoModelPath(), question = '首都はどこですか'): Promise<void> {
  const model = await Model.load(path);
  // Vectors have length 1, so their product is the cosine. All are computed in common batches.
  const [asked, ...vectors] = await Promise.all([question, ...texts].map((text) => model.embed(text)));
  const found = vectors.map((vector, index) => ({
    text: texts[index],
    near: dot(asked as Float32Array, vector),
  }));
  for (const { text, near } of found.sort((a, b) => b.near - a.near)) console.log(near.toFixed(3), text);
  await model.dispose();
}

void main(...process.argv.slice(2));
