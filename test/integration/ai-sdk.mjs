// What a user of the AI SDK does, on the demo model: node ai-sdk.mjs <ai | ai-7>. Prints what came of it as JSON.

import { demoModelPath, Model } from 'gpt-neox';
import { createNeox } from 'gpt-neox/ai-sdk';

globalThis.AI_SDK_LOG_WARNINGS = false;
const { createProviderRegistry, embedMany, generateText, streamText } = await import(process.argv[2]);

const prompt = '富士山の高さは?';
const endless = { providerOptions: { neox: { eosTokenId: null } }, maxOutputTokens: 900, temperature: 0 };
const neox = createNeox();
const path = demoModelPath();
const loaded = await Model.load(path);

async function generate() {
  const result = await generateText({ model: neox(path), prompt, temperature: 0 });
  const { text, finishReason, usage, response, providerMetadata, warnings } = result;
  const { inputTokens, outputTokens } = usage;
  const named = { modelId: response.modelId, hasTime: response.timestamp instanceof Date };
  return { text, finishReason, inputTokens, outputTokens, named, warnings, metadata: providerMetadata.neox };
}

async function conversation() {
  const session = loaded.createSession();
  const model = neox(loaded, { session, temperature: 0 });
  const messages = [{ role: 'user', content: prompt }];
  const first = await generateText({ model, messages });
  messages.push({ role: 'assistant', content: first.text }, { role: 'user', content: '日本の首都は?' });
  const second = await generateText({ model, messages });
  session.dispose();
  return { text: second.text, cached: second.usage.inputTokenDetails.cacheReadTokens };
}

async function stream() {
  const result = streamText({ model: neox(path), prompt, temperature: 0 });
  const deltas = [];
  for await (const delta of result.textStream) deltas.push(delta);
  const { inputTokens, outputTokens } = await result.usage;
  return { deltas, finishReason: await result.finishReason, inputTokens, outputTokens };
}

async function response() {
  const result = streamText({ model: neox(path), prompt, temperature: 0 });
  return result.toTextStreamResponse().text();
}

async function abortStream() {
  const controller = new AbortController();
  const result = streamText({ model: neox(loaded), prompt, ...endless, abortSignal: controller.signal });
  const types = [];
  for await (const part of result.fullStream) {
    types.push(part.type);
    if (part.type === 'text-delta') controller.abort();
  }
  return { last: types.at(-1), deltas: types.filter((type) => type === 'text-delta').length };
}

async function abortGenerate() {
  const call = generateText({
    model: neox(loaded),
    prompt,
    ...endless,
    abortSignal: AbortSignal.timeout(20),
  });
  return call.then(
    () => 'no error',
    (error) => error.name,
  );
}

async function sampled() {
  const call = () =>
    generateText({ model: neox(loaded), prompt, temperature: 2, topK: 40, topP: 0.95, seed: 7 });
  const [first, second] = await Promise.all([call(), call()]);
  return { isSame: first.text === second.text, seed: first.providerMetadata.neox.seed };
}

async function stopped() {
  const { text, finishReason } = await generateText({
    model: neox(loaded),
    prompt,
    temperature: 0,
    stopSequences: ['メートル'],
  });
  return { text, finishReason };
}

async function cut() {
  const { text, finishReason, usage } = await generateText({
    model: neox(loaded),
    system: '短く答えてください。',
    prompt,
    temperature: 0,
    maxOutputTokens: 2,
  });
  return { hasText: text !== '', finishReason, outputTokens: usage.outputTokens };
}

async function image() {
  const content = [{ type: 'file', mediaType: 'image/png', data: new Uint8Array(4) }];
  const call = generateText({ model: neox(loaded), messages: [{ role: 'user', content }] });
  return call.then(
    () => 'no error',
    (error) => error.code,
  );
}

async function failingStream() {
  const broken = () => {
    throw new Error('a broken processor');
  };
  const errors = [];
  const model = neox(loaded, { logitsProcessor: broken });
  const result = streamText({ model, prompt, onError: ({ error }) => errors.push(error.message) });
  const types = [];
  for await (const part of result.fullStream) types.push(part.type);
  return { errors, types: types.filter((type) => type === 'error' || type === 'finish') };
}

async function embeddings() {
  const model = neox.embeddingModel(loaded);
  const { embeddings, usage } = await embedMany({ model, values: ['富士山', '東京'] });
  return { sizes: embeddings.map((vector) => vector.length), hasTokens: usage.tokens > 0 };
}

async function registry() {
  const { text } = await generateText({
    model: createProviderRegistry({ neox }).languageModel(`neox:${path}`),
    prompt,
    temperature: 0,
  });
  return text;
}

const cases = [
  ...[generate, conversation, stream, response, abortStream, abortGenerate, sampled, stopped, cut],
  ...[image, failingStream, embeddings, registry],
];
const outcome = {};
for (const each of cases) outcome[each.name] = await each();
await neox.dispose();
outcome.disposed = await generateText({ model: neox(path), prompt }).catch((error) => error.code);
await loaded.dispose();
process.stdout.write(JSON.stringify(outcome));
