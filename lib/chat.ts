// Conversations to prompts, in the model's own format.

import { CHAT_FORMATS, CHAT_MODELS, type ChatFormat, IMAGE_PLACE } from './chat-formats.js';
import { ArgumentError, FormatError } from './errors.js';
import type { TextPart } from './tokenizer-kind.js';
import type { GenerateOptions, Message, MessagePart } from './types.js';
import {
  assertFloat32Array,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  unexpected,
} from './validate.js';

const ROLES = ['system', 'user', 'assistant'] as const;
const FORMAT_KEYS = ['name', 'user', 'assistant', 'separator', 'newline', 'systemReply', 'image'];

/** What a checkpoint says about itself. */
export interface ChatHints {
  /** The name of a format, as the file gives it. Comes before any guess. */
  format?: string | undefined;
  /** The checkpoint's names, the first that is known counts: general.name, the repository or directory, what it was made from. */
  names?: readonly (string | undefined)[];
}

/**
 * The format of a checkpoint, or undefined for one that was not tuned on conversations.
 * @throws FormatError when `hints.format` is not the name of a format
 */
export function detectChatFormat(hints: ChatHints): Readonly<ChatFormat> | undefined {
  if (hints.format !== undefined) {
    if (Object.hasOwn(CHAT_FORMATS, hints.format)) return CHAT_FORMATS[hints.format];
    throw new FormatError(
      'ERR_NEOX_FORMAT_VALUE',
      `The file's chat format '${hints.format.slice(0, 60)}' is none of ${Object.keys(CHAT_FORMATS).join(', ')}.`,
    );
  }
  const model = findModel(hints.names);
  return model && CHAT_FORMATS[model.format];
}

/** Generation settings of the checkpoint's model card; empty where none is known. */
export function cardDefaults(names: ChatHints['names']): Readonly<GenerateOptions> {
  return findModel(names)?.defaults ?? {};
}

/**
 * A format by name, or a format of the caller's own, checked.
 * @throws ArgumentError
 */
export function resolveChatFormat(format: unknown): Readonly<ChatFormat> {
  if (typeof format === 'string') {
    assertOneOf('chatFormat', format, Object.keys(CHAT_FORMATS));
    return CHAT_FORMATS[format] as ChatFormat;
  }
  assertObject('chatFormat', format);
  assertKnownOptions('chatFormat', format, FORMAT_KEYS);
  const given = format as Record<string, unknown>;
  for (const key of ['name', 'user', 'assistant', 'separator']) assertText(`chatFormat.${key}`, given[key]);
  for (const key of ['newline', 'systemReply', 'image']) {
    if (given[key] !== undefined) assertText(`chatFormat.${key}`, given[key]);
  }
  const { image } = given as Partial<ChatFormat>;
  if (image !== undefined && image.split(IMAGE_PLACE).length !== 2) {
    throw unexpected(`text with one ${IMAGE_PLACE}`, 'chatFormat.image', image);
  }
  return { ...given } as unknown as ChatFormat;
}

/** Embedding vectors between the texts of a prompt; `name` is where the caller gave them. */
export interface ImagePart {
  embeddings: Float32Array;
  name: string;
}

/**
 * The prompt that asks for the assistant's next words. When the last message is the assistant's, the prompt ends with it and
 * asks for its continuation.
 *
 * The parts join to the prompt. Contents are marked `splitSpecialTokens`, so that a user's literal `</s>` stays text; encoded
 * together (`Tokenizer.encodeParts`), the parts are segmented as the joined text is.
 * @throws ArgumentError
 */
export function renderPrompt(
  messages: readonly Message[],
  format: Readonly<ChatFormat>,
): (TextPart | ImagePart)[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw unexpected('a list of at least one message', 'messages', messages);
  }
  const parts: (TextPart | ImagePart)[] = [];
  const template = (text: string): void => void parts.push({ text, splitSpecialTokens: false });
  for (const [index, message] of messages.entries()) {
    const { role, content } = checkMessage(message, index);
    template(role === 'assistant' ? format.assistant : format.user);
    parts.push(...renderContent(content, format, `messages[${index}].content`));
    if (role === 'assistant' && index === messages.length - 1) return mergeTemplates(parts);
    template(format.separator);
    if (role === 'system') template(systemReply(format));
  }
  template(format.assistant);
  return mergeTemplates(parts);
}

/** Replacements that turn the model's text into a person's, for `createDecodeStream`. */
export function outputReplacements(format: Readonly<ChatFormat>): [string, string][] {
  return format.newline ? [[format.newline, '\n']] : [];
}

function systemReply(format: Readonly<ChatFormat>): string {
  if (format.systemReply !== undefined) return format.assistant + format.systemReply + format.separator;
  throw new ArgumentError(`The chat format '${format.name}' has no system messages.`);
}

function checkMessage(message: unknown, index: number): Message {
  const name = `messages[${index}]`;
  assertObject(name, message);
  assertOneOf(`${name}.role`, message.role, ROLES);
  const { role, content } = message;
  if (!Array.isArray(content)) assertText(`${name}.content`, content);
  return { role, content: content as Message['content'] };
}

function renderContent(
  content: Message['content'],
  format: Readonly<ChatFormat>,
  name: string,
): (TextPart | ImagePart)[] {
  const ofText = (text: string): TextPart => ({
    text: encodeNewlines(text, format),
    splitSpecialTokens: true,
  });
  if (typeof content === 'string') return [ofText(content)];
  return content.flatMap((part: MessagePart, index): (TextPart | ImagePart)[] => {
    const own = `${name}[${index}]`;
    assertObject(own, part);
    assertKnownOptions(own, part, ['text', 'embeddings']);
    if (Object.keys(part).length !== 1) throw unexpected('either text or embeddings', own, part);
    if ('text' in part) {
      assertText(`${own}.text`, part.text);
      return [ofText(part.text)];
    }
    if (format.image === undefined) {
      throw new ArgumentError(`The chat format '${format.name}' has no images, but \`${own}\` is one.`);
    }
    assertFloat32Array(`${own}.embeddings`, part.embeddings);
    const [before = '', after = ''] = format.image.split(IMAGE_PLACE);
    return [
      { text: before, splitSpecialTokens: false },
      { embeddings: part.embeddings.slice(), name: `${own}.embeddings` },
      { text: after, splitSpecialTokens: false },
    ];
  });
}

function encodeNewlines(text: string, format: Readonly<ChatFormat>): string {
  return format.newline === undefined ? text : text.replaceAll(/\r\n|\n|\r/g, () => format.newline as string);
}

// Added tokens of the template are found even where two pieces of it meet.
function mergeTemplates(parts: readonly (TextPart | ImagePart)[]): (TextPart | ImagePart)[] {
  const merged: (TextPart | ImagePart)[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if ('embeddings' in part) merged.push(part);
    else if (last && 'text' in last && last.splitSpecialTokens === part.splitSpecialTokens) {
      last.text += part.text;
    } else if (part.text !== '') merged.push({ ...part });
  }
  return merged;
}

function findModel(names: ChatHints['names'] = []): (typeof CHAT_MODELS)[number] | undefined {
  for (const name of names) {
    const model = CHAT_MODELS.find(({ pattern }) => name !== undefined && pattern.test(name.toLowerCase()));
    if (model) return model;
  }
  return undefined;
}
