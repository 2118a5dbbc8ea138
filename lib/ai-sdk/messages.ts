// The AI SDK's prompts as messages of text.

import { type Message, NeoxError } from '../index.js';
import type { CallWarning, PromptMessage } from './specification.js';

const ROLES: readonly string[] = ['system', 'user', 'assistant'] satisfies Message['role'][];

/** @throws NeoxError `ERR_NEOX_UNSUPPORTED` for what is no text: files, tool calls and their results */
export function toMessages(prompt: readonly PromptMessage[]): {
  messages: Message[];
  warnings: CallWarning[];
} {
  const warnings: CallWarning[] = [];
  const messages = prompt.map(({ role, content }): Message => {
    if (!ROLES.includes(role)) throw unsupported(`a message of role '${role}'`);
    if (typeof content === 'string') return { role: role as Message['role'], content };
    const texts = content.map((part) => {
      if (part.type === 'text') return part.text ?? '';
      if (part.type !== 'reasoning') throw unsupported(`a part of type '${part.type}' in a message`);
      warnings.push({ type: 'unsupported', feature: 'reasoning', details: 'It is left out of the prompt.' });
      return '';
    });
    return { role: role as Message['role'], content: texts.join('') };
  });
  return { messages, warnings };
}

/**
 * What a model without a chat format continues.
 * @throws NeoxError `ERR_NEOX_UNSUPPORTED` for a conversation
 */
export function toText(messages: readonly Message[], modelId: string): string {
  const [first, second] = messages;
  if (first?.role === 'user' && second === undefined) return first.content as string;
  throw new NeoxError(
    'ERR_NEOX_UNSUPPORTED',
    `The model '${modelId}' has no known chat format: give it one text as \`prompt\`, or load it with a \`chatFormat\`.`,
  );
}

function unsupported(what: string): NeoxError {
  return new NeoxError('ERR_NEOX_UNSUPPORTED', `The model reads text alone; it cannot take ${what}.`);
}
