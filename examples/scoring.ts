// What the model thinks of given text: choices by their log-probability, and the next token's best: node scoring.js [model]

import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const question = 'ユーザー: 日本の首都は?<NL>システム: ';
  const choices = ['東京です。', '富士山です。', '京都です。'];

  // All at once: they share the engine's batches. The mean over tokens compares texts of different lengths.
  const scores = await Promise.all(choices.map((choice) => model.score(question, choice)));
  for (const [index, { sum, tokens }] of scores.entries()) {
    console.log(`${choices[index]} ${sum.toFixed(2)}, ${(sum / tokens.length).toFixed(2)} a token`);
  }

  const ids = model.tokenizer.encode(question, { addSpecialTokens: false });
  const { data } = await model.logits(ids);
  const best = data.indexOf(Math.max(...data));
  console.log(`next: ${JSON.stringify(model.tokenizer.idToToken(best))}`);

  // The same, with probabilities, while generating.
  const { tokens } = await model.generate(ids, { temperature: 0, maxNewTokens: 3, logprobs: 2 }).result();
  for (const { id, topLogprobs = [] } of tokens) {
    const shares = topLogprobs.map(
      (other) =>
        `${JSON.stringify(model.tokenizer.idToToken(other.id))} ${Math.exp(other.logprob).toFixed(2)}`,
    );
    console.log(`${JSON.stringify(model.tokenizer.idToToken(id))} of ${shares.join(', ')}`);
  }
  await model.dispose();
}

void main(...process.argv.slice(2));
