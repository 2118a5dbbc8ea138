// Chat formats as templates: what other programs render is the prompt that `chat` encodes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderPrompt } from '../../lib/chat.js';
import { chatTemplate } from '../../lib/chat-template.js';
import { CHAT_FORMATS, type ChatFormat, convert, type Message } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';
import { run, testWhere } from './python.js';

const formats: ChatFormat[] = [
  ...Object.values(CHAT_FORMATS),
  { name: "it's", user: "U\\'", assistant: 'A\n', separator: '\\n', newline: "'\\" },
];
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system = (content: string): Message => ({ role: 'system', content });
const conversations: Message[][] = [
  [user('こんにちは')],
  [user('一行目\n二行目\r\n三行目\r四'), assistant('はい\n'), user(' {{ x }} {% y %} <NL> ')],
  [system('短く答えて。'), user('a'), assistant('b'), user('c')],
  [user('a'), system('s'), assistant('途中')],
  [assistant('')],
  [user('')],
];

testWhere('jinja2').each(formats)('$name', (format) => {
  const rendered = JSON.parse(
    run('chat_render.py', [], JSON.stringify({ template: chatTemplate(format), conversations })),
  );
  conversations.forEach((messages, i) => {
    const refuses = format.systemReply === undefined && messages.some(({ role }) => role === 'system');
    const prompt = refuses
      ? null
      : renderPrompt(messages, format)
          .map((part) => ('text' in part ? part.text : ''))
          .join('');
    expect(rendered[i]).toBe(prompt);
  });
});

test('a template names every part of its format, and quotes it', () => {
  for (const format of formats) {
    const template = chatTemplate(format);
    expect(template).toContain('add_generation_prompt');
    expect(template).not.toContain('\n');
    expect(template).toContain(format.user.replaceAll(/[\\']/g, '\\$&'));
  }
});

testWhere('gguf')('convert writes the template of the format', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-template-'));
  try {
    const path = join(folder, 'chat.gguf');
    await convert(checkpointPath('sequential-erf'), path, { chatFormat: 'rinna-3.6b' });
    const { keys } = JSON.parse(run('gguf_contents.py', [path]));
    expect(keys['tokenizer.chat_template']).toBe(chatTemplate(CHAT_FORMATS['rinna-3.6b'] as ChatFormat));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
