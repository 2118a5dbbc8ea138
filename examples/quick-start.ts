// Loads a model and streams the continuation of a prompt: node quick-start.js [model] [prompt]

import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath(), prompt = '富士山の高さは?'): Promise<void> {
  const model = await Model.load(path);
  // A model that was tuned on conversations is asked in its own format; a base model continues the text.
  const generation = model.chatFormat
    ? model.chat([{ role: 'user', content: prompt }])
    : model.generate(prompt, { maxNewTokens: 64, text: 'continuation' });
  for await (const chunk of generation) process.stdout.write(chunk.text);

  const { usage, timings } = await generation.result();
  console.log(`\n${usage.completionTokens} tokens, ${timings.tokensPerSecond.toFixed(1)} tokens/s`);
  await model.dispose();
}

void main(...process.argv.slice(2));
