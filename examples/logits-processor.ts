// A rule of your own between the scores and the choice: only digits, or nothing said twice: node logits-processor.js [model]

import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const { tokenizer } = model;
  const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
  const options = { temperature: 0, maxNewTokens: 8 };

  const digits = new Set<number>();
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (/^\d+$/.test(tokenizer.idToToken(id) ?? '')) digits.add(id);
  }
  // Called for each token with prompt and output so far; changes the scores in place, and must be synchronous.
  const onlyDigits = (_: readonly number[], scores: Float32Array): void => {
    for (let id = 0; id < scores.length; id++) if (!digits.has(id)) scores[id] = Number.NEGATIVE_INFINITY;
  };
  const number = await model.generate(prompt, { ...options, logitsProcessor: onlyDigits }).result();
  console.log(`digits: ${number.text}`);

  const neverTwice = (ids: readonly number[], scores: Float32Array): void => {
    for (const id of new Set(ids)) scores[id] = Number.NEGATIVE_INFINITY;
  };
  const once = await model.generate(prompt, { ...options, logitsProcessor: neverTwice }).result();
  console.log(`new tokens: ${new Set(once.tokenIds).size} of ${once.tokenIds.length}`);
  await model.dispose();
}

void main(...process.argv.slice(2));
