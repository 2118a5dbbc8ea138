import { join } from 'node:path';
import { expectFailure, makeTinyModel, neox, temporaryFolder } from './program.js';

const settings = ['--temperature', '0', '-n', '24', '-q'];

describe('chat over a pipe', () => {
  test('answers each line on stdout', async () => {
    const { status, stdout, stderr } = await neox(['chat', ...settings], { input: 'こんにちは\n\nhello\n' });
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/^\S.*\n\S.*\n$/);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('without -q, statistics of each turn go to stderr', async () => {
    const { stderr } = await neox(['chat', '--temperature', '0', '-n', '4'], { input: 'hello\n' });
    expect(stderr).toMatch(/^neox: \d+ tokens, .*tokens\/s.*\n$/);
  });

  test('/undo and /reset give the same answer to the same question again', async () => {
    const input = 'hello\n/undo\nhello\n/reset\nhello\n';
    const { status, stdout, stderr } = await neox(['chat', ...settings], { input });
    const answers = stdout.trimEnd().split('\n');
    expect(answers).toHaveLength(3);
    expect(new Set(answers).size).toBe(1);
    expect(stderr).toBe('neox: the last turn is forgotten\nneox: a new conversation\n');
    expect(status).toBe(0);
  });

  test('turns add up in one session; a full context drops the oldest and goes on', async () => {
    const input = 'hello\n'.repeat(40);
    const { status, stdout, stderr } = await neox(['chat', ...settings.slice(0, -1), '-c', '192'], { input });
    expect(stdout.trimEnd().split('\n')).toHaveLength(40);
    expect(stderr).toMatch(/^neox: the context is full; the oldest \d+ tokens were dropped$/m);
    expect(status).toBe(0);
  });

  test.each(['70', '128'])('a short context of %s shifts beside a system message, too', async (context) => {
    const args = ['chat', '--temperature', '0', '-c', context, '--system', '短く答えてください。'];
    const { status, stdout, stderr } = await neox(args, { input: 'hello\n'.repeat(12) });
    expect(stderr).toMatch(/^neox: the context is full; the oldest 64 tokens were dropped$/m);
    expect(stdout.trimEnd().split('\n').length).toBeGreaterThanOrEqual(12);
    expect(status).toBe(0);
  });

  test('beams answer, and end where the context is full', async () => {
    const args = ['chat', ...settings, '--num-beams', '3', '-c', '128', '--system', '短く答えてください。'];
    const { status, stdout, stderr } = await neox(args, { input: 'hello\n'.repeat(20) });
    expect(stdout).toMatch(/^\S.*\n\S/);
    expect(stderr).toMatch(/^neox: [^\n]*\(ERR_NEOX_CONTEXT_FULL\)\n$/);
    expect(status).toBe(4);
  });

  test('/undo forgets a turn without an answer, and that turn alone', async () => {
    const question = '富士山の高さは?\n';
    const asked = await neox(['chat', ...settings, '--stop', '富'], { input: `${question}/undo\n/undo\n` });
    expect(asked.stderr).toBe('neox: the last turn is forgotten\nneox: nothing to undo\n');
  });

  test('--context-overflow error ends where the context is full', async () => {
    const input = 'hello\n'.repeat(60);
    const args = ['chat', ...settings, '-c', '128', '--context-overflow', 'error'];
    const { status, stdout, stderr } = await neox(args, { input });
    const answers = stdout.trimEnd().split('\n').length;
    expect(answers).toBeGreaterThan(1);
    expect(answers).toBeLessThan(60);
    expect(stderr).toMatch(/^neox: [^\n]*\(ERR_NEOX_CONTEXT_FULL\)\n$/);
    expect(status).toBe(4);
  });

  test('--session goes on where the last run ended', async () => {
    const folder = temporaryFolder();
    try {
      const whole = await neox(['chat', ...settings], { input: 'こんにちは\n富士山の高さは?\n' });
      const args = ['chat', ...settings, '--session', join(folder.path, 'talk')];
      const first = await neox(args, { input: 'こんにちは\n' });
      const second = await neox(args, { input: '富士山の高さは?\n' });
      expect(first.stdout + second.stdout).toBe(whole.stdout);
      expect([first.status, second.status]).toEqual([0, 0]);
      // One prompt is no more than another turn.
      const third = await neox(['run', ...settings, '--session', join(folder.path, 'talk'), 'ありがとう']);
      expect(third.status).toBe(0);
      // Other settings of the same model are no obstacle.
      const fourth = await neox([...args, '--kv-cache-type', 'q8_0'], { input: 'こんにちは\n' });
      expect(fourth.status).toBe(0);
      expect(fourth.stdout.trim()).not.toBe('');
    } finally {
      folder.remove();
    }
  });

  test('--session where nothing can be written says so before the first answer', async () => {
    const args = ['chat', ...settings, '--session', join('no', 'such', 'folder', 'talk')];
    expectFailure(await neox(args, { input: 'hello\n' }), 3, /ENOENT: no such file or directory/);
  });

  test('/exit leaves, and nothing after it is answered', async () => {
    const { status, stdout } = await neox(['chat', ...settings], { input: '/exit\nhello\n' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test('an unknown command ends with 2', async () => {
    expectFailure(await neox(['chat', ...settings], { input: '/frobnicate\n' }), 2, /\/frobnicate/);
  });

  test('a model without a chat format ends with 2', async () => {
    const folder = temporaryFolder();
    try {
      const tiny = await makeTinyModel(folder.path);
      expectFailure(await neox(['chat', '-m', tiny], { input: 'hello\n' }), 2, /--chat-format/);
      const flags = ['-q', '-n', '2', '--temperature', '0', '--chat-format', 'line'];
      expect((await neox(['chat', '-m', tiny, ...flags], { input: 'hello\n' })).status).toBe(0);
    } finally {
      folder.remove();
    }
  });
});
