// Chat formats as Jinja templates, for other programs that read our GGUF files: tokenizer.chat_template. Nothing here runs one.

import type { ChatFormat } from './chat-formats.js';

/**
 * A template that renders messages as `renderPrompt` does, with `add_generation_prompt` for the prompt's end. Written for the
 * least of the engines: no filters but `replace`, no whitespace control.
 */
export function chatTemplate(format: Readonly<ChatFormat>): string {
  const { user, assistant, separator, newline, systemReply } = format;
  const encode =
    newline === undefined
      ? ''
      : ['\r\n', '\n', '\r'].map((line) => ` | replace(${literal(line)}, ${literal(newline)})`).join('');
  const system =
    systemReply === undefined
      ? `{{ raise_exception(${literal(`The chat format ${format.name} has no system messages.`)}) }}`
      : `{{ ${literal(user)} + content + ${literal(separator + assistant + systemReply + separator)} }}`;
  return [
    '{% for message in messages %}',
    `{% set content = message['content']${encode} %}`,
    "{% if message['role'] == 'user' %}",
    `{{ ${literal(user)} + content + ${literal(separator)} }}`,
    "{% elif message['role'] == 'assistant' %}",
    `{{ ${literal(assistant)} + content }}`,
    `{% if not loop.last %}{{ ${literal(separator)} }}{% endif %}`,
    "{% elif message['role'] == 'system' %}",
    system,
    '{% else %}',
    "{{ raise_exception('A role is none of user, assistant and system.') }}",
    '{% endif %}',
    '{% endfor %}',
    "{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}",
    `{{ ${literal(assistant)} }}`,
    '{% endif %}',
  ].join('');
}

function literal(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'", '\n': '\\n', '\r': '\\r' };
  return `'${text.replace(/[\\'\n\r]/g, (char) => escapes[char] ?? char)}'`;
}
