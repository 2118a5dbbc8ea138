// A conversation whose turns share one KV cache: node chat.js [model] < lines.txt

import { createInterface } from 'node:readline/promises';
import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const session = model.createSession();
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(`> ${line}`);
    // Only the new message is given and computed; the session holds the rest.
    for await (const chunk of session.chat([{ role: 'user', content: line }]))
      process.stdout.write(chunk.text);
    console.log(`\n(${session.position} of ${model.info.contextLength} tokens)`);
  }
  session.dispose();
  await model.dispose();
}

void main(...process.argv.slice(2));
