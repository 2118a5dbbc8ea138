// What answer.cjs does, by import; it must be the same library.
import { createRequire } from 'node:module';
import { demoModelPath, Model } from 'gpt-neox';

export async function answer() {
  if (createRequire(import.meta.url)('gpt-neox').Model !== Model)
    throw new Error('two copies of the library');
  const model = await Model.load(demoModelPath());
  const messages = [{ role: 'user', content: '富士山の高さは?' }];
  const result = await model.chat(messages, { temperature: 0, maxNewTokens: 32 }).result();
  await model.dispose();
  return result;
}
