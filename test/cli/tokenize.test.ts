import { checkpoint, expectFailure, neox } from './program.js';

const texts = ['こんにちは、世界!', 'Hello, world', '  two  spaces  ', '改行\nと\tタブ', '🗻と珍しい漢字𠮷'];

describe('tokenize and detokenize', () => {
  test.each(texts)('%j comes back from its ids', async (text) => {
    const ids = await neox(['tokenize', '--ids', '-'], { input: `${text}\n` });
    expect(ids.stdout).toMatch(/^\d+( \d+)*\n$/);
    expect(await neox(['detokenize'], { input: ids.stdout })).toEqual({
      status: 0,
      stdout: `${text.trim()}\n`,
      stderr: '',
    });
  });

  test('--json gives ids and tokens, and detokenize takes the list', async () => {
    const { stdout } = await neox(['tokenize', '--json', 'こんにちは']);
    const { ids, tokens } = JSON.parse(stdout) as { ids: number[]; tokens: string[] };
    expect(ids.length).toBe(tokens.length);
    expect(tokens.join('')).toContain('こ');
    const back = await neox(['detokenize', '--json'], { input: JSON.stringify(ids) });
    expect(JSON.parse(back.stdout)).toEqual({ text: 'こんにちは' });
  });

  test('a table has one line for each token', async () => {
    const ids = (await neox(['tokenize', '--ids', 'a\nb'])).stdout.trim().split(' ');
    const { stdout } = await neox(['tokenize', 'a\nb']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1 + ids.length);
  });

  test('--add-special-tokens adds the end token, which detokenize can leave out', async () => {
    const ids = (await neox(['tokenize', '--ids', '--add-special-tokens', 'hello'])).stdout.trim().split(' ');
    expect(ids.at(-1)).toBe('3');
    expect((await neox(['detokenize', ...ids])).stdout).toContain('</s>');
    expect((await neox(['detokenize', '--skip-special-tokens', ...ids])).stdout).toBe('hello\n');
  });

  test('--split-special-tokens takes them as text', async () => {
    expect((await neox(['tokenize', '--ids', '</s>'])).stdout).toBe('3\n');
    expect((await neox(['tokenize', '--ids', '--split-special-tokens', '</s>'])).stdout).not.toBe('3\n');
  });

  test('an id outside the vocabulary ends with 2', async () => {
    expectFailure(await neox(['detokenize', '99999999']), 2, /99999999/);
  });

  test('a model without a tokenizer ends with 3', async () => {
    expectFailure(await neox(['tokenize', '-m', checkpoint, 'x']), 3, /\(ERR_NEOX_NO_TOKENIZER\)/);
  });
});
