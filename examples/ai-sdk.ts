// The AI SDK over a local model (npm install ai): node ai-sdk.js [model]

import { embed, generateText, streamText } from 'ai';
import { demoModelPath } from 'gpt-neox';
import { createNeox } from 'gpt-neox/ai-sdk';

async function main(path = demoModelPath()): Promise<void> {
  // Options are those of Model.load; what a path names is loaded when it is first used.
  const neox = createNeox({ contextLength: 1024 });
  const model = neox(path);

  const { text, usage } = await generateText({ model, prompt: '富士山の高さは?', temperature: 0 });
  console.log(`${text} (${usage.outputTokens} tokens)`);

  const stream = streamText({
    model,
    messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
    maxOutputTokens: 64,
    // Options of this package that the AI SDK has no name for.
    providerOptions: { neox: { repetitionPenalty: 1.1, minP: 0.05 } },
    abortSignal: AbortSignal.timeout(60_000),
  });
  for await (const delta of stream.textStream) process.stdout.write(delta);
  console.log(`\n${await stream.finishReason}`);

  const { embedding } = await embed({ model: neox.embeddingModel(path), value: '富士山' });
  console.log(`a vector of ${embedding.length}`);
  await neox.dispose();
}

void main(...process.argv.slice(2));
