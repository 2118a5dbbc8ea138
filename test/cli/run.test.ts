import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpoint, expectFailure, makeTinyModel, neox, temporaryFolder } from './program.js';

// Windows has no signals to send to another process.
const onPosix = process.platform === 'win32' ? test.skip : test;
const folder = temporaryFolder();
afterAll(folder.remove);
let tiny = '';
beforeAll(async () => {
  tiny = await makeTinyModel(folder.path);
});

// A random model never ends by itself, and its text is noise, but the same noise each time.
const fixed = (...args: string[]) => [
  '-m',
  tiny,
  '--raw',
  '--temperature',
  '0',
  '--eos-token-id',
  'none',
  ...args,
];
const statistics =
  /^neox: (\d+) tokens, [\d.]+ tokens\/s; prompt (\d+) tokens, [\d.]+ tokens\/s; first token after [\d.]+ m?s; ended by (\w+)\n$/;

describe('run', () => {
  test('puts the answer on stdout and the statistics on stderr', async () => {
    const { status, stdout, stderr } = await neox(['run', ...fixed('-n', '20', 'こんにちは')]);
    expect(stdout).toMatch(/[^\s]/);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(statistics.exec(stderr)?.slice(1)).toEqual(['20', expect.any(String), 'length']);
    expect(status).toBe(0);
  });

  test('--json prints one object', async () => {
    const { status, stdout } = await neox(['run', ...fixed('-n', '12', '--json', 'abc')]);
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    expect(answer).toEqual({
      text: expect.any(String),
      tokenIds: expect.any(Array),
      finishReason: 'length',
      usage: { promptTokens: expect.any(Number), completionTokens: 12, cachedTokens: 0 },
      timings: {
        queueMs: expect.any(Number),
        prefillMs: expect.any(Number),
        decodeMs: expect.any(Number),
        promptTokensPerSecond: expect.any(Number),
        tokensPerSecond: expect.any(Number),
        draftedTokens: expect.any(Number),
        acceptedTokens: expect.any(Number),
        loadMs: expect.any(Number),
        timeToFirstTokenMs: expect.any(Number),
      },
      seed: expect.any(Number),
    });
    expect(answer.tokenIds).toHaveLength(12);
    expect(status).toBe(0);
  });

  test('--num-return-sequences prints each answer below its number', async () => {
    const settings = '--raw --do-sample --seed 5 --eos-token-id none -n 8 --num-return-sequences 2'.split(
      ' ',
    );
    const args = ['run', '-m', tiny, ...settings, 'abc'];
    const { status, stdout, stderr } = await neox(args);
    const answers = /^--- 1\/2 ---\n([\s\S]*\n)--- 2\/2 ---\n([\s\S]*\n)$/.exec(stdout);
    expect(answers?.[1]).not.toBe(answers?.[2]);
    expect(statistics.exec(stderr)?.[1]).toBe('16');
    expect(status).toBe(0);
    const json = JSON.parse((await neox([...args, '--json'])).stdout);
    expect(json.sequences).toHaveLength(2);
    expect(json.sequences[0].tokenIds).toEqual(json.tokenIds);
    expect(json.sequences.map(({ text }: { text: string }) => `${text}\n`)).toEqual(answers?.slice(1));
  });

  test('--num-beams searches, and --early-stopping knows three words', async () => {
    const beams = ['--num-beams', '3', '--length-penalty', '0.5', '--early-stopping', 'never'];
    const json = async (...args: string[]) =>
      JSON.parse((await neox(['run', ...fixed('-n', '8', '--json', ...beams, ...args, 'abc')])).stdout);
    const best = await json();
    const both = await json('--num-return-sequences', '2');
    expect(best).toMatchObject(both.sequences[0]);
    expect(both.sequences[0].score).toBeGreaterThan(both.sequences[1].score);
    const { stdout } = await neox(['run', ...fixed('-n', '8', ...beams, '--num-return-sequences=2', 'abc')]);
    expect(stdout).toContain(`--- 2/2, score ${both.sequences[1].score.toFixed(4)} ---\n`);
    expectFailure(
      await neox(['run', ...fixed('--early-stopping', 'soon', 'abc')]),
      2,
      /true, false or never/,
    );
    expectFailure(await neox(['run', ...fixed(...beams, '--stop', 'x', 'abc')]), 2, /stop.*numBeams/);
  });

  test('beams have the room that their answers may take', async () => {
    const { status } = await neox(['run', '--raw', '--num-beams', '4', '-n', '600', '-q', '富士山は']);
    expect(status).toBe(0);
  });

  test('--logprobs adds those of each token', async () => {
    const { stdout } = await neox(['run', ...fixed('-n', '2', '--json', '--logprobs', '3', 'abc')]);
    const { tokens } = JSON.parse(stdout) as {
      tokens: { id: number; logprob: number; topLogprobs: unknown[] }[];
    };
    expect(tokens).toHaveLength(2);
    expect(tokens[0]?.logprob).toBeLessThan(0);
    expect(tokens[0]?.topLogprobs).toHaveLength(3);
  });

  test('reads the prompt from arguments, a file, standard input and without a command alike', async () => {
    const file = join(folder.path, 'prompt.txt');
    writeFileSync(file, '富士山 は\n');
    const settings = fixed('-n', '8', '-q');
    const expected = await neox(['run', ...settings, '富士山', 'は']);
    expect(expected.status).toBe(0);
    expect(expected.stderr).toBe('');
    expect(await neox(['run', ...settings, '-f', file])).toEqual(expected);
    expect(await neox(['run', ...settings, '-'], { input: '富士山 は' })).toEqual(expected);
    expect(await neox(['run', ...settings], { input: '富士山 は\n' })).toEqual(expected);
    expect(await neox([...settings, '富士山 は'])).toEqual(expected);
  });

  test('after --, a command name or a flag is a prompt', async () => {
    const settings = fixed('-n', '4', '--json');
    const prompt = async (args: string[], input = '') => {
      const { stdout } = await neox(args, { input });
      return (JSON.parse(stdout) as { usage: { promptTokens: number } }).usage.promptTokens;
    };
    expect(await prompt(['run', ...settings, '--', '--help'])).toBe(
      await prompt(['run', ...settings], '--help'),
    );
    expectFailure(await neox(['--', 'chat'], { env: { NEOX_FORCE_ISA: 'no_such_isa' } }), 5, /no_such_isa/);
  });

  test('the same seed gives the same text, another one another', async () => {
    const sampled = (seed: string) =>
      neox(['run', '-m', tiny, '--raw', '-n', '16', '-q', '--temperature', '1', '--seed', seed, 'abc']);
    const [first, again, other] = [await sampled('7'), await sampled('7'), await sampled('8')];
    expect(first.status).toBe(0);
    expect(again).toEqual(first);
    expect(other.stdout).not.toBe(first.stdout);
  });

  test('penalties and biases of tokens, and DRY', async () => {
    const idsOf = async (...options: string[]): Promise<number[]> => {
      const { stdout } = await neox(['run', ...fixed('-n', '12', '--json', ...options, 'abc')]);
      return JSON.parse(stdout).tokenIds;
    };
    expect(await idsOf('--logit-bias', '9=1000,7=-3')).toEqual(Array(12).fill(9));
    const penalties = ['--presence-penalty', '2e4', '--frequency-penalty', '1e4'];
    expect(await idsOf('--logit-bias', '9=1e4,10=1e4', ...penalties)).not.toEqual(Array(12).fill(9));
    const dry = '--dry-multiplier 1e4 --dry-base 2 --dry-allowed-length 1 --dry-range 8'.split(' ');
    const ids = await idsOf('--logit-bias', '9=1000', ...dry, '--dry-sequence-breaker', 'zz');
    expect(ids.slice(0, 2)).toEqual([9, 9]);
    expect(ids[2]).not.toBe(9);
  });

  onPosix('Ctrl-C keeps what came and ends with 130', async () => {
    const long = fixed('-c', '30000', '-n', '29000', 'abc');
    const { status, stdout, stderr } = await neox(['run', ...long], {
      onStart: (child) => child.stdout.once('data', () => child.kill('SIGINT')),
    });
    expect(stdout).toMatch(/[^\s]/);
    expect(stderr).toMatch(/neox: \d+ tokens, .*ended by cancelled\n$/);
    expect(status).toBe(130);
  });

  test('a reader that goes away ends it without a word', async () => {
    const long = fixed('-q', '-c', '30000', '-n', '29000', 'abc');
    const { status, stderr } = await neox(['run', ...long], {
      onStart: (child) => child.stdout.once('data', () => child.stdout.destroy()),
    });
    expect(stderr).not.toContain('EPIPE');
    expect(status).toBe(0);
  });
});

describe('bad input ends with its own code and one line', () => {
  test('a missing model', async () => {
    const missing = join(folder.path, 'missing.gguf');
    expectFailure(await neox(['run', '-m', missing, 'x']), 3, /missing\.gguf.*\(ERR_NEOX_FILE_NOT_FOUND\)/);
  });

  test('a file that is no model', async () => {
    const broken = join(folder.path, 'broken.gguf');
    writeFileSync(broken, 'this is not a model at all, but a line of text');
    expectFailure(await neox(['run', '-m', broken, 'x']), 3, /\(ERR_NEOX_FORMAT_MAGIC\)/);
  });

  test('an instruction set that does not exist', async () => {
    const ended = await neox(['run', ...fixed('x')], { env: { NEOX_FORCE_ISA: 'no_such_isa' } });
    expectFailure(ended, 5, /no_such_isa.*\(ERR_NEOX_ISA\)/);
  });

  test('a device that is not built in', async () => {
    expectFailure(await neox(['run', ...fixed('--device', 'cuda', 'x')]), 5, /\(ERR_NEOX_BACKEND\)/);
  });

  test('a file with a chat format that is none', async () => {
    const file = join(folder.path, 'format.gguf');
    expect((await neox(['convert', checkpoint, '-o', file, '--chat-format', 'line'])).status).toBe(0);
    const bytes = readFileSync(file);
    bytes.write('lime', bytes.indexOf('line', bytes.indexOf('neox.chat_format')));
    writeFileSync(file, bytes);
    expectFailure(await neox(['run', '-m', file, 'x']), 3, /'lime'.*\(ERR_NEOX_FORMAT_VALUE\)/);
  });

  test('a prompt longer than the context', async () => {
    const ended = await neox(['run', ...fixed('-c', '16', '-n', '4', 'こんにちは'.repeat(40))]);
    expectFailure(ended, 4, /16.*\(ERR_NEOX_CONTEXT_FULL\)/);
  });

  test('options that contradict each other', async () => {
    const ended = await neox(['run', '-m', tiny, '--temperature', '0', '--top-p', '0.9', 'x']);
    expectFailure(ended, 2, /\(ERR_NEOX_INVALID_ARGUMENT\)/);
  });

  test('biases that are none', async () => {
    for (const bias of ['a=1', '5=1=2'])
      expectFailure(await neox(['run', ...fixed('--logit-bias', bias, 'x')]), 2, /Expected/);
  });

  test('a prompt that is no text', async () => {
    const ended = await neox(['run', ...fixed('-')], { input: Buffer.from([0x61, 0xff, 0xfe]) });
    expectFailure(ended, 3, /not UTF-8/);
  });

  test('a system message for a model without a chat format', async () => {
    expectFailure(await neox(['run', '-m', tiny, '--system', 'a', 'x']), 2, /chat format/);
  });
});

describe('with the demo model', () => {
  test('answers a question in its chat format', async () => {
    const { status, stdout, stderr } = await neox(['富士山の高さは?', '--temperature', '0']);
    expect(stdout).toMatch(/[^\s]/);
    expect(stderr).toMatch(/ tokens\/s; .*ended by eos\n$/);
    expect(status).toBe(0);
  });
});
