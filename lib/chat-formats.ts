// How conversations are written for the models that were tuned on them. Data only; lib/chat.ts renders it.

import type { GenerateOptions } from './types.js';

/** A way to write a conversation as one text. */
export interface ChatFormat {
  /** As errors call it; one of {@link CHAT_FORMATS} goes by its key. */
  name: string;
  /** Opens what the user says. */
  user: string;
  /** Opens what the model says; the prompt ends with it. */
  assistant: string;
  /** Ends every utterance but the one being written. */
  separator: string;
  /** What stands for a line break inside an utterance; absent where the tokenizer knows line breaks. */
  newline?: string;
  /**
   * What the model answers to a system message, which is written as the user's words. Models without a system role were
   * evaluated with their instructions in this form. Absent: system messages are an error.
   */
  systemReply?: string;
  /** How an image in a message is written; `<ImageHere>`, once, is where its embeddings come. Absent: images are an error. */
  image?: string;
}

/** Stands for the embeddings in `ChatFormat.image`, as in the model card. */
export const IMAGE_PLACE = '<ImageHere>';

const SPEAKERS = { user: 'ユーザー: ', assistant: 'システム: ', systemReply: '分かりました。' };

/** The formats that have a name. */
export const CHAT_FORMATS: Readonly<Record<string, Readonly<ChatFormat>>> = {
  'rinna-3.6b': { name: 'rinna-3.6b', ...SPEAKERS, separator: '<NL>', newline: '<NL>' },
  'rinna-bilingual': { name: 'rinna-bilingual', ...SPEAKERS, separator: '\n' },
  'rinna-minigpt4': {
    name: 'rinna-minigpt4',
    ...SPEAKERS,
    separator: '\n',
    image: `<Img>${IMAGE_PLACE}</Img>`,
  },
  line: { name: 'line', ...SPEAKERS, separator: '\n' },
};

/** A family of checkpoints whose card gives a format and generation settings. */
export interface ChatModel {
  /** Found in the checkpoint's name, lower case. */
  pattern: RegExp;
  format: keyof typeof CHAT_FORMATS;
  defaults: Readonly<GenerateOptions>;
}

const BILINGUAL: GenerateOptions = { doSample: true, temperature: 1, topP: 0.85, maxNewTokens: 512 };

/** First match wins. The settings are those of the model cards' examples. */
export const CHAT_MODELS: readonly ChatModel[] = [
  {
    pattern: /japanese-gpt-neox-3\.6b-instruction-(ppo|sft-v2)/,
    format: 'rinna-3.6b',
    defaults: { doSample: true, temperature: 0.7, repetitionPenalty: 1.1, maxNewTokens: 128 },
  },
  {
    pattern: /japanese-gpt-neox-3\.6b-instruction-sft/,
    format: 'rinna-3.6b',
    defaults: { doSample: true, temperature: 0.8, maxNewTokens: 128 },
  },
  { pattern: /bilingual-gpt-neox-4b-minigpt4/, format: 'rinna-minigpt4', defaults: BILINGUAL },
  { pattern: /bilingual-gpt-neox-4b-instruction/, format: 'rinna-bilingual', defaults: BILINGUAL },
  { pattern: /japanese-large-lm-[\d.]+b-instruction/, format: 'line', defaults: {} },
];
