// Three ways to stop a generation: leaving the loop, a time limit, an AbortSignal.

import { demoModelPath, Model } from 'gpt-neox';

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const endless = { eosTokenId: null, maxNewTokens: 900 };

  const left = model.generate('むかしむかし', endless);
  for await (const chunk of left) if (chunk.text !== '') break;
  console.log('break:', (await left.result()).finishReason);

  const timed = await model.generate('むかしむかし', { ...endless, maxTime: 0.02 }).result();
  console.log('maxTime:', timed.finishReason);

  const controller = new AbortController();
  const aborted = model.generate('むかしむかし', { ...endless, signal: controller.signal }).result();
  controller.abort(new Error('the user went away'));
  await aborted.catch((error: Error) => console.log('abort:', error.message));

  await model.dispose();
}

void main(...process.argv.slice(2));
