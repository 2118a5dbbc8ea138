// npm runs it before `npm pack` and `npm publish`: dist/ is built anew where lib/ has changed, and nothing is packed without
// binaries, or with ones that are older than their sources. A package that is published has those of every platform.

import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { targets } from './prebuild/targets.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepError } from './steps.mjs';

const sources = ['native', 'cmake', 'CMakeLists.txt'];

/** What stands against packing, one sentence each; what is only worth knowing is in `notes`. */
export function inspectPrebuilds() {
  const built = targets.map(({ name, file }) => ({ name, time: timeOf(file) }));
  const there = built.filter(({ time }) => time > 0);
  const missing = built.filter(({ time }) => time === 0).map(({ name }) => name);
  const newest = Math.max(...sources.map(newestIn));
  const stale = there.filter(({ time }) => time < newest).map(({ name }) => name);
  const problems = [];
  const notes = missing.length === 0 ? [] : [`the package has no binary for ${missing.join(', ')}`];
  if (there.length === 0)
    problems.push('prebuilds/ holds no binary: `npm run prebuild` builds that of this machine.');
  if (stale.length > 0) {
    const flags = stale.map((name) => ` --platform ${name}`).join('');
    problems.push(
      `The sources have changed since these binaries were built: \`npm run prebuild --${flags}\`.`,
    );
  }
  return { problems, notes };
}

function timeOf(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestIn(name) {
  const path = join(root, name);
  const entries = statSync(path).isDirectory() ? readdirSync(path).map((entry) => join(path, entry)) : [];
  const times = entries.map((entry) => newestIn(relative(root, entry)));
  return entries.length > 0 ? Math.max(...times) : statSync(path).mtimeMs;
}

async function main() {
  await setup({ addon: false });
  const { problems, notes } = inspectPrebuilds();
  const isPublished = process.env.npm_command === 'publish';
  if (isPublished) problems.push(...notes.map((note) => `${note}: \`npm run prebuild -- --all\`.`));
  if (problems.length > 0) throw new StepError(problems.join('\n'));
  for (const note of notes) process.stderr.write(`neox: ${note}\n`);
}

await runMain(main);
