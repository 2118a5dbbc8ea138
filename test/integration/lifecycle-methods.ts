// Every method of the public API, with a call of it and what it must end with in each state of a model's life.
// The calls stand for themselves, without imports: lifecycle-workers.test.ts sends their text into workers.

import type * as neox from '../../lib/index.js';

export const states = ['fresh', 'loading', 'generating', 'aborted', 'disposed'] as const;
export type State = (typeof states)[number];

export interface Subject {
  neox: typeof neox;
  model: neox.Model;
  session: neox.Session;
  /** The session's call: read for a while in the states that generate, else untouched. */
  generation: neox.Generation;
  tokenizer: neox.Tokenizer;
  stream: neox.DecodeStream;
  sampler: neox.Sampler;
  /** A few new tokens, greedily. */
  few: neox.GenerateOptions;
  /** A .gguf file with a tokenizer, a Hugging Face directory, a saved session, and a path for what is written. */
  gguf: string;
  checkpoint: string;
  saved: string;
  output: string;
}

export interface Method {
  run(subject: Subject): unknown;
  /** States in which it ends otherwise: an error's code or name. Else it works. */
  ends?: Partial<Record<State, string>>;
}

const disposed = { disposed: 'ERR_NEOX_DISPOSED' };
/** The session's own call stands in the way. */
const busy = { ...disposed, generating: 'ERR_NEOX_BUSY' };
/** A generation has one reader, and what it has heard stays. */
const readOnce = {
  ...disposed,
  generating: 'ERR_NEOX_INVALID_ARGUMENT',
  aborted: 'ERR_NEOX_INVALID_ARGUMENT',
};

const ofModel: Record<string, Method> = {
  config: { run: ({ model }) => model.config.hiddenSize },
  info: { run: ({ model }) => model.info.threads },
  hasTokenizer: { run: ({ model }) => model.hasTokenizer },
  tokenizer: { run: ({ model }) => model.tokenizer.encode('山') },
  chatFormat: { run: ({ model }) => model.chatFormat?.name },
  generationDefaults: { run: ({ model }) => model.generationDefaults },
  generate: { run: ({ model, few }) => model.generate([1, 2], few), ends: disposed },
  chat: { run: ({ model, few }) => model.chat([{ role: 'user', content: '山' }], few), ends: disposed },
  createSession: { run: ({ model }) => model.createSession(), ends: disposed },
  restoreSession: { run: ({ model, saved }) => model.restoreSession(saved), ends: disposed },
  logits: { run: ({ model }) => model.logits([1, 2]), ends: disposed },
  hiddenStates: { run: ({ model }) => model.hiddenStates([1, 2]), ends: disposed },
  score: { run: ({ model }) => model.score([1], [2]), ends: disposed },
  startProfile: { run: ({ model }) => model.startProfile(), ends: disposed },
  endProfile: { run: ({ model }) => model.endProfile(), ends: disposed },
  inputEmbeddings: { run: ({ model }) => model.inputEmbeddings([1]), ends: disposed },
  embed: { run: ({ model }) => model.embed([1, 2]), ends: disposed },
  dispose: { run: ({ model }) => model.dispose() },
  '[Symbol.asyncDispose]': { run: ({ model }) => model[Symbol.asyncDispose]() },
};

const ofSession: Record<string, Method> = {
  position: { run: ({ session }) => session.position, ends: disposed },
  tokenIds: { run: ({ session }) => session.tokenIds, ends: disposed },
  droppedTokens: { run: ({ session }) => session.droppedTokens, ends: disposed },
  generate: { run: ({ session, few }) => session.generate([3], few), ends: busy },
  chat: { run: ({ session, few }) => session.chat([{ role: 'user', content: '山' }], few), ends: busy },
  truncate: { run: ({ session }) => session.truncate(0), ends: busy },
  fork: { run: ({ session }) => session.fork(0), ends: busy },
  save: { run: ({ session, output }) => session.save(output), ends: busy },
  dispose: { run: ({ session }) => session.dispose() },
  '[Symbol.dispose]': { run: ({ session }) => session[Symbol.dispose]() },
};

const ofGeneration: Record<string, Method> = {
  result: { run: ({ generation }) => generation.result(), ends: { ...disposed, aborted: 'AbortError' } },
  '[Symbol.asyncIterator]': {
    run: ({ generation }) => {
      const iterator = generation[Symbol.asyncIterator]();
      return iterator.next().then(() => iterator.return?.());
    },
    ends: readOnce,
  },
  toReadableStream: {
    run: ({ generation }) => {
      const reader = generation.toReadableStream().getReader();
      return reader.read().then(() => reader.cancel());
    },
    ends: readOnce,
  },
  abandon: { run: ({ generation }) => generation.abandon(new Error('enough')) },
};

// Immutable, and none of a model's business: they outlive it.
const ofTokenizer: Record<string, Method> = {
  vocabSize: { run: ({ tokenizer }) => tokenizer.vocabSize },
  bosTokenId: { run: ({ tokenizer }) => tokenizer.bosTokenId },
  eosTokenId: { run: ({ tokenizer }) => tokenizer.eosTokenId },
  padTokenId: { run: ({ tokenizer }) => tokenizer.padTokenId },
  unkTokenId: { run: ({ tokenizer }) => tokenizer.unkTokenId },
  allSpecialIds: { run: ({ tokenizer }) => tokenizer.allSpecialIds },
  encode: { run: ({ tokenizer }) => tokenizer.encode('富士山') },
  encodeParts: { run: ({ tokenizer }) => tokenizer.encodeParts([{ text: '山', splitSpecialTokens: false }]) },
  tokenize: { run: ({ tokenizer }) => tokenizer.tokenize('富士山') },
  decode: { run: ({ tokenizer }) => tokenizer.decode([5, 6, 300]) },
  createDecodeStream: { run: ({ tokenizer }) => tokenizer.createDecodeStream() },
  tokenToId: { run: ({ tokenizer }) => tokenizer.tokenToId('▁') },
  idToToken: { run: ({ tokenizer }) => tokenizer.idToToken(5) },
  surfaceOf: { run: ({ tokenizer }) => tokenizer.surfaceOf(5) },
};

const ofStream: Record<string, Method> = {
  push: { run: ({ stream }) => stream.push([300, 301]) },
  flush: { run: ({ stream }) => stream.flush() },
  pendingText: { run: ({ stream }) => stream.pendingText },
  textIfFollowed: { run: ({ stream }) => stream.textIfFollowed },
};

const ofSampler: Record<string, Method> = {
  process: { run: ({ sampler }) => sampler.process(new Float32Array(8), [1]) },
  sample: { run: ({ sampler }) => sampler.sample(new Float32Array(8), [1]) },
};

const functions: Record<string, Method> = {
  'Model.load': { run: ({ neox, gguf }) => neox.Model.load(gguf).then((model) => model.dispose()) },
  'Model.inspect': { run: ({ neox, gguf }) => neox.Model.inspect(gguf) },
  'Tokenizer.load': { run: ({ neox, gguf }) => neox.Tokenizer.load(gguf) },
  'new Sampler': { run: ({ neox }) => new neox.Sampler({ temperature: 1 }) },
  convert: { run: ({ neox, checkpoint, output }) => neox.convert(checkpoint, output) },
  quantize: {
    run: ({ neox, gguf, output }) => neox.quantize(gguf, output, { type: 'Q4_0', allowRequantize: true }),
  },
  synth: { run: ({ neox, output }) => neox.synth(output, { shape: 'tiny', type: 'Q8_0', tokenizer: false }) },
  verify: { run: ({ neox, gguf }) => neox.verify(gguf) },
  collectImportance: {
    run: ({ neox, checkpoint, output }) =>
      neox.collectImportance(checkpoint, output, { ids: Array(40).fill(3), contextLength: 32 }),
  },
  mergeImportance: {
    run: ({ neox, checkpoint, output }) =>
      neox
        .collectImportance(checkpoint, `${output}.a`, { ids: Array(40).fill(3), contextLength: 32 })
        .then(() => neox.mergeImportance([`${output}.a`], output)),
  },
  compareModels: {
    run: ({ neox, model }) => neox.compareModels(model, model, { ids: Array(40).fill(3), contextLength: 32 }),
    ends: disposed,
  },
  measureCeilings: {
    run: ({ neox }) => neox.measureCeilings({ threads: 1, seconds: 0.1, readBytes: 2 ** 26 }),
  },
  systemInfo: { run: ({ neox }) => neox.systemInfo() },
  listDevices: { run: ({ neox }) => neox.listDevices() },
  demoModelPath: { run: ({ neox }) => neox.demoModelPath() },
  quantizedCacheFolder: { run: ({ neox }) => neox.quantizedCacheFolder() },
  toFileType: { run: ({ neox }) => neox.toFileType('Q4_K_M') },
  toTensorType: { run: ({ neox }) => neox.toTensorType('Q6_K', 'type') },
  listModels: { run: ({ neox, output }) => neox.listModels({ cacheDir: output }) },
};
// Of the hub's only what asks no server.
const nothingPulled = Object.fromEntries(states.map((state) => [state, 'ERR_NEOX_FILE_NOT_FOUND']));
functions.pull = {
  run: ({ neox, output }) => neox.pull('owner/name', { offline: true, cacheDir: output }),
  ends: nothingPulled,
};
functions.removeModel = {
  run: ({ neox, output }) => neox.removeModel('owner/name', { cacheDir: output }),
  ends: nothingPulled,
};

const named = (owner: string, methods: Record<string, Method>): [string, Method][] =>
  Object.entries(methods).map(([name, method]) => [`${owner}.${name}`, method]);

export const methods: Readonly<Record<string, Method>> = {
  ...Object.fromEntries([
    ...named('model', ofModel),
    ...named('session', ofSession),
    ...named('generation', ofGeneration),
    ...named('tokenizer', ofTokenizer),
    ...named('stream', ofStream),
    ...named('sampler', ofSampler),
  ]),
  ...functions,
};
