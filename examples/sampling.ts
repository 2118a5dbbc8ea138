// How tokens are chosen: greedy, drawn with a seed, several at once, by beam search: node sampling.js [model] [prompt]

import { demoModelPath, type GenerateOptions, Model } from 'gpt-neox';

const ways: Record<string, GenerateOptions> = {
  greedy: { temperature: 0 },
  // The same seed and the same settings give the same text, on every machine with the same logits.
  drawn: { temperature: 0.8, topP: 0.9, seed: 1 },
  'drawn again': { temperature: 0.8, topP: 0.9, seed: 1 },
  'with penalties': { temperature: 0.8, repetitionPenalty: 1.1, noRepeatNgramSize: 3, seed: 1 },
  // Several answers share the prompt, which is computed once.
  'three of them': { temperature: 1.2, topK: 40, numReturnSequences: 3, seed: 1 },
  'beam search': { numBeams: 4, numReturnSequences: 2, lengthPenalty: 1 },
};

async function main(path = demoModelPath(), prompt = '日本で一番高い山は'): Promise<void> {
  const model = await Model.load(path);
  for (const [name, options] of Object.entries(ways)) {
    const { sequences } = await model.generate(prompt, { maxNewTokens: 16, ...options }).result();
    for (const { text, score } of sequences) {
      console.log(`${name}: ${JSON.stringify(text)}${score === undefined ? '' : ` (${score.toFixed(3)})`}`);
    }
  }
  await model.dispose();
}

void main(...process.argv.slice(2));
