// A build of llama.cpp or of ik_llama.cpp, through its own llama-bench; `path` is the build folder. What llama-bench does not
// tell stays empty: load times and ids.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readTask, report } from './protocol.mjs';

const task = readTask();
const names = ['bin/llama-bench', 'llama-bench', 'bin/llama-bench.exe'];
const program = names.map((name) => join(task.path ?? '', name)).find((name) => existsSync(name));
if (!program) throw new Error(`there is no llama-bench in ${task.path}`);
const help = call(['--help']);

if (task.probe) report({ version: 'llama-bench' });
else run();

function call(args) {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(done.stderr.trim().split('\n').at(-1) ?? 'llama-bench failed');
  return done.stdout + (args[0] === '--help' ? done.stderr : '');
}

function run() {
  const shared = ['-m', task.model, '-t', String(task.threads), '-ngl', '0', '-r', '1', '-o', 'json'];
  // ik_llama.cpp repacks at load only when it is asked to.
  const repack = task.repack && help.includes('--run-time-repack') ? ['-rtr', '1'] : [];
  const bench = (...args) => JSON.parse(call([...shared, ...repack, ...args]));
  const flat = bench('-p', String(task.promptIds.length), '-n', String(task.gen));
  const rate = (tests, find) => tests.find(find)?.avg_ts ?? null;
  const isGeneration = ({ n_gen: generated }) => generated > 0;
  let tgDepth = null;
  if (task.depth > 0) {
    // ik_llama.cpp has no depth, but generation after a prompt.
    const depth = help.includes('--n-depth')
      ? ['-p', '0', '-n', String(task.gen), '-d', String(task.depth)]
      : ['-p', '0', '-n', '0', '-gp', `${task.depth},${task.gen}`];
    tgDepth = rate(bench(...depth), isGeneration);
  }
  const { build_commit: commit, build_number: number } = flat[0];
  report({
    version: `${commit} (${number})`,
    loadSeconds: null,
    firstTokenSeconds: null,
    pp: rate(flat, (test) => !isGeneration(test)),
    tg: rate(flat, isGeneration),
    tgDepth,
    ids: null,
    logits: null,
  });
}
