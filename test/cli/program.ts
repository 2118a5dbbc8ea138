// Runs the built command line program, as a user would.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = join(__dirname, '..', '..');
const program = join(root, 'dist', 'cli', 'main.js');

/** A checkpoint without a tokenizer: 128 tokens, 256 positions, 64 wide. */
export const checkpoint = join(root, 'test', 'fixtures', 'checkpoints', 'sequential-erf');

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string | Buffer;
  env?: NodeJS.ProcessEnv;
  /** Gets the child as soon as it runs. */
  onStart?: (child: ChildProcessWithoutNullStreams) => void;
}

export function neox(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { NEOX_FORCE_ISA: _, NO_COLOR: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [program, ...args], { env: { ...inherited, ...options.env } });
  const deadline = setTimeout(() => child.kill('SIGKILL'), 25_000);
  const ended: Ended = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  child.stdin.on('error', () => {}); // one that does not read its input may close it
  child.stdin.end(options.input ?? '');
  options.onStart?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(deadline);
      resolve({ ...ended, status });
    });
  });
}

/** One line that begins like a message of ours, and nothing on stdout. */
export function expectFailure(ended: Ended, status: number, message: RegExp): void {
  expect(ended.stderr).toMatch(/^neox: [^\n]+\n$/);
  expect(ended.stderr).toMatch(message);
  expect(ended.stdout).toBe('');
  expect(ended.status).toBe(status);
}

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'neox-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A random model with the demo's tokenizer: 2 layers, 2,560 tokens, 512 positions. */
export async function makeTinyModel(folder: string): Promise<string> {
  const path = join(folder, 'tiny.gguf');
  const made = await neox(['synth', '--shape', 'tiny', '--type', 'Q8_0', '-o', path]);
  if (made.status !== 0) throw new Error(`neox synth: ${made.stderr}`);
  return path;
}
