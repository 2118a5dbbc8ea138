import { parseLine } from '../../lib/cli/chat-lines.js';
import { describeError, exitCodeOf, UsageError } from '../../lib/cli/exit-codes.js';
import { escapeControls, Printer } from '../../lib/cli/io.js';
import { bytes, count, rate } from '../../lib/cli/values.js';

function printer(isTTY: boolean, env: NodeJS.ProcessEnv = {}): { printer: Printer; written: () => string } {
  let text = '';
  const write = (part: string) => {
    text += part;
    return true;
  };
  const stream = { isTTY, write };
  return { printer: new Printer(stream as unknown as NodeJS.WriteStream, env), written: () => text };
}

describe('control characters', () => {
  const hostile = '\x1b]0;title\x07\x1b[2J\rab\x7f\x9b31m\ttab\n';

  test('never reach a terminal', async () => {
    const { printer: out, written } = printer(true);
    await out.write(hostile);
    expect(written()).toBe('\\x1b]0;title\\x07\\x1b[2J\\x0dab\\x7f\\x9b31m\ttab\n');
  });

  test('pass through a pipe as they are', async () => {
    const { printer: out, written } = printer(false);
    await out.write(hostile);
    expect(written()).toBe(hostile);
  });

  test('all of C0 but line feed and tab, DEL and C1 are escaped; other characters are not', () => {
    for (let code = 0; code < 0x250; code++) {
      const char = String.fromCodePoint(code);
      const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
      const hex = code.toString(16).padStart(2, '0');
      expect(escapeControls(char)).toBe(isControl && char !== '\n' && char !== '\t' ? `\\x${hex}` : char);
    }
    expect(escapeControls('日本🗻')).toBe('日本🗻');
  });
});

describe('colours', () => {
  test.each([
    ['a terminal', true, {}, '\x1b[2mquiet\x1b[22m'],
    ['a terminal with NO_COLOR', true, { NO_COLOR: '1' }, 'quiet'],
    ['a terminal with an empty NO_COLOR', true, { NO_COLOR: '' }, '\x1b[2mquiet\x1b[22m'],
    ['a dumb terminal', true, { TERM: 'dumb' }, 'quiet'],
    ['a pipe', false, {}, 'quiet'],
  ])('on %s', async (_, isTTY, env, expected) => {
    const { printer: out, written } = printer(isTTY, env);
    await out.write('quiet', 'dim');
    expect(written()).toBe(expected);
  });
});

test('a table aligns numbers right and wide characters by what they take', async () => {
  const { printer: out, written } = printer(false);
  await out.table(
    ['id', 'token', 'note'],
    [
      [7, '猫', 'a'],
      [1234, 'abc', 'b'],
    ],
  );
  expect(written()).toBe('  id  token  note\n   7  猫     a\n1234  abc    b\n');
});

describe('errors', () => {
  test('are one line with the code', () => {
    const error = Object.assign(new Error('first\n  second'), { code: 'ERR_NEOX_IO' });
    expect(describeError(error)).toBe('first second (ERR_NEOX_IO)');
    expect(describeError(new UsageError('plain'))).toBe('plain');
  });

  test.each([
    ['ERR_NEOX_INVALID_ARGUMENT', 2],
    ['ERR_NEOX_FILE_NOT_FOUND', 3],
    ['ERR_NEOX_FORMAT_TRUNCATED', 3],
    ['ENOENT', 3],
    ['ERR_NEOX_CONTEXT_FULL', 4],
    ['ERR_NEOX_ISA', 5],
    ['ERR_NEOX_INTERNAL', 1],
    [undefined, 1],
  ])('%s ends with %i', (code, status) => {
    expect(exitCodeOf(Object.assign(new Error('x'), { code }))).toBe(status);
  });
});

test('what is said in a chat is a turn or a command', () => {
  expect(parseLine('こんにちは /help')).toEqual({ text: 'こんにちは /help' });
  expect(parseLine('/system  be brief ')).toEqual({ command: 'system', text: 'be brief' });
  expect(parseLine('/undo')).toEqual({ command: 'undo', text: '' });
  expect(parseLine('//etc')).toEqual({ text: '/etc' });
});

test('numbers for people', () => {
  expect([bytes(512), bytes(1536), bytes(2 ** 31)]).toEqual(['512 B', '1.50 KiB', '2.00 GiB']);
  expect([count(999), count(4.2e6), count(3.606e9)]).toEqual(['999', '4.20 M', '3.61 B']);
  expect([rate(1234.5), rate(56.78), rate(1.234), rate(Number.NaN)]).toEqual(['1235', '56.8', '1.23', '-']);
});
