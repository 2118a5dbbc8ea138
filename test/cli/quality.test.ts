// What convert and quantize tell of the quality of what they write.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobResult, ModelComparison } from '../../lib/index.js';
import { expectFailure, makeTinyModel, neox, temporaryFolder } from './program.js';

const folder = temporaryFolder();
afterAll(folder.remove);
const at = (name: string) => join(folder.path, name);
const text = at('text.txt');
let model: string;

beforeAll(async () => {
  model = await makeTinyModel(folder.path);
  writeFileSync(text, '富士山は日本で一番高い山です。The sky is blue today.\n'.repeat(80));
  const made = await neox(['imatrix', '-m', model, '-f', text, '-c', '64', '-o', at('imatrix.gguf')]);
  expect(made.status).toBe(0);
}, 30_000);

function quantize(name: string, ...args: string[]) {
  return neox(['quantize', model, '--type', 'Q4_0', '--allow-requantize', '-o', at(name), ...args]);
}

test('--report shows the error of each matrix on stderr', async () => {
  const { status, stdout, stderr } = await quantize('report.gguf', '--report');
  expect(status).toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^tensor +type +bits +RMSE +relative +largest$/m);
  expect(stderr).toMatch(/^blk\.0\.ffn_down\.weight +Q4_0 +4\.50 +0\.00\d+ +0\.\d+ +0\.0\d+$/m);
  expect(stderr).toMatch(/^in all +\d\.\d\d /m);
});

test('with an importance matrix, weighted errors too', async () => {
  const { status, stderr } = await quantize('guided.gguf', '--report', '--imatrix', at('imatrix.gguf'));
  expect(status).toBe(0);
  expect(stderr).toMatch(/ largest +weighted$/m);
  expect(stderr).not.toMatch(/not in the importance matrix/);
});

test('--kl compares with the source; --json tells all on stdout', async () => {
  const args = ['--report', '--kl', text, '--kl-chunks', '1', '--json'];
  const { status, stdout } = await quantize('json.gguf', ...args);
  expect(status).toBe(0);
  const { tensors, tensorBytes, comparison } = JSON.parse(stdout) as JobResult & {
    comparison: ModelComparison;
  };
  expect(tensorBytes).toBeGreaterThan(0);
  expect(tensors.length).toBeGreaterThan(8);
  for (const { relativeError, rms, rmse } of tensors) expect(relativeError).toBeCloseTo(rmse / rms, 10);
  expect(comparison.chunks).toBe(1);
  expect(comparison.positions).toBe(255);
  expect(comparison.meanKl).toBeGreaterThan(0);
  expect(comparison.topAgreement).toBeGreaterThan(0.2);
});

test('a text that is too short for --kl is told of before the work', async () => {
  writeFileSync(at('short.txt'), '山');
  const ended = await quantize('short.gguf', '--kl', at('short.txt'));
  expectFailure(ended, 2, /--kl has \d tokens; 512 or more are needed/);
  expect(existsSync(at('short.gguf'))).toBe(false);
});

test('--dry-run --json tells the size on stdout', async () => {
  const { status, stdout } = await quantize('dry.gguf', '--dry-run', '--json');
  expect(status).toBe(0);
  expect((JSON.parse(stdout) as JobResult).tensorBytes).toBeGreaterThan(0);
  expect(existsSync(at('dry.gguf'))).toBe(false);
});

test('--kl without --json is a table on stderr', async () => {
  const { status, stdout, stderr } = await quantize('kl.gguf', '--kl', text, '--kl-chunks', '1');
  expect(status).toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^KL divergence, mean +[\d.e-]+ \+- [\d.e-]+$/m);
  expect(stderr).toMatch(/^perplexity before +[\d.]+ \+- /m);
});

test('what is missing is told before the work', async () => {
  expectFailure(await quantize('never.gguf', '--kl', at('absent.txt')), 3, /absent\.txt/);
  expectFailure(await quantize('never.gguf', '--imatrix', at('absent')), 3, /\(ERR_NEOX_FILE_NOT_FOUND\)/);
  expectFailure(await quantize('never.gguf', '--imatrix', text), 3, /\(ERR_NEOX_FORMAT_\w+\)/);
  expect(existsSync(at('never.gguf'))).toBe(false);
});
