import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, expectFailure, neox, root, temporaryFolder } from './program.js';

const commands = [
  'run',
  'chat',
  'tokenize',
  'detokenize',
  'inspect',
  'verify',
  'convert',
  'quantize',
  'imatrix',
  'synth',
  'bench',
  'pull',
  'ls',
  'rm',
  'build',
];

const helps = new Map<string, Promise<Ended>>();
function helpOf(command: string): Promise<Ended> {
  const help = helps.get(command) ?? neox([command, '--help']);
  helps.set(command, help);
  return help;
}

describe('help', () => {
  test('lists every command with its summary, examples, environment and exit codes', async () => {
    const { status, stdout, stderr } = await neox(['--help']);
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) {2,}[a-z]/gm)].map((match) => match[1]);
    expect(listed).toEqual(commands);
    for (const word of ['Examples:', 'NEOX_FORCE_ISA', 'NEOX_THREADS', 'NO_COLOR', 'Exit codes:', '130']) {
      expect(stdout).toContain(word);
    }
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test.each(commands)('%s explains its options and shows an example', async (command) => {
    const { status, stdout, stderr } = await helpOf(command);
    expect(stdout).toContain(`Usage: neox ${command} [options]`);
    expect(stdout).toMatch(new RegExp(`Examples:\n(.*\n)*.*neox ${command}`));
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('neox help <command> is the same', async () => {
    expect(await neox(['help', 'run'])).toEqual(await helpOf('run'));
  });

  test('names the default of an option', async () => {
    const { stdout } = await helpOf('run');
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      '-m, --model <path> a .gguf file, a Hugging Face directory or a pulled name (default: the demo model)',
    );
  });

  test.each(commands)('docs/cli.md has %s and all its options', async (command) => {
    const docs = readFileSync(join(root, 'docs', 'cli.md'), 'utf8');
    expect(docs).toContain(`## neox ${command}\n`);
    const { stdout } = await helpOf(command);
    const flags = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map((match) => match[1] ?? '');
    expect(flags.length).toBeGreaterThan(2);
    expect(flags.filter((flag) => !docs.includes(flag))).toEqual([]);
  });
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(await neox(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
});

describe('wrong usage ends with 2 and one line', () => {
  test.each([
    [
      'an unknown flag, with a suggestion',
      ['run', '--temprature', '1', 'x'],
      /unknown option '--temprature' \(Did you mean --temperature\?\)/,
    ],
    ['an unknown flag without a command', ['--frobnicate', 'x'], /unknown option '--frobnicate'/],
    [
      'a word for a number',
      ['run', '--temperature', 'hot', 'x'],
      /--temperature <t>' argument 'hot'.*Expected a number/,
    ],
    [
      'a fraction for an integer',
      ['run', '-n', '1.5', 'x'],
      /--max-new-tokens <n>' argument '1.5'.*Expected an integer/,
    ],
    ['a number below its range', ['run', '-s', '-1', 'x'], /--seed <n>' argument '-1'.*at least 0/],
    [
      'a value that is no choice',
      ['run', '--precision', 'low', 'x'],
      /'low' is invalid\. Allowed choices are exact, high, fast/,
    ],
    ['a flag without its value', ['run', '--model'], /--model <path>' argument missing/],
    ['a missing option', ['convert', 'x'], /required option '-o, --output <file>' not specified/],
    ['a missing argument', ['verify'], /missing required argument 'path'/],
    ['one argument too many', ['inspect', 'a', 'b'], /too many arguments/],
    ['ids that are none', ['detokenize', '1', 'two'], /'two'/],
    ['log-probabilities without --json', ['run', '--logprobs', '3', 'x'], /--logprobs needs --json/],
    ['nothing to measure', ['bench', '-p', '0', '-n', '0'], /-p and -n are both 0/],
    [
      'a chat format that is none',
      ['convert', 'x', '-o', 'y', '--chat-format', 'lime'],
      /'lime' is invalid\. Allowed choices are rinna-3\.6b/,
    ],
    ['two prompts', ['run', '-f', 'a.txt', 'x'], /not both/],
  ])('%s', async (_, args, message) => {
    expectFailure(await neox(args), 2, message);
  });

  test('no prompt at all', async () => {
    expectFailure(await neox([]), 2, /No prompt/);
  });

  test('the stack comes with --debug only', async () => {
    const { stderr, status } = await neox(['inspect', '--debug', '--nothing']);
    expect(stderr).toMatch(/^neox: unknown option '--nothing'.*\n(.*\n)* {4}at /);
    expect(status).toBe(2);
  });
});

describe('without the native addon', () => {
  const folder = temporaryFolder();
  afterAll(folder.remove);
  const copy = join(folder.path, 'dist');
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(copy, 'cli', 'main.js'), ...args], { encoding: 'utf8' });
  beforeAll(() => cpSync(join(root, 'dist'), copy, { recursive: true }));

  test('help still works', () => {
    const { status, stdout } = run('run', '--help');
    expect(stdout).toContain('Usage: neox run');
    expect(status).toBe(0);
  });

  test('a command says so in one line and ends with 5', () => {
    const { status, stdout, stderr } = run('inspect', 'model.gguf');
    expect(stderr).toMatch(
      /^neox: The package node-gyp-build[^\n]* is not installed[^\n]*\(ERR_NEOX_ADDON\)\n$/,
    );
    expect(stdout).toBe('');
    expect(status).toBe(5);
  });
});
