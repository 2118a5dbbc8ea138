// What the build scripts share: where things are, and running a command quietly with its output in a log.

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cacheDir = join(root, '.cache');

/** A failure that its message explains to the user; no stack trace is wanted. */
export class StepError extends Error {}

/** A command line that cannot be meant: exit code 2. */
export class UsageError extends StepError {
  exitCode = 2;
}

/** Runs `main` and turns a StepError into its message and its exit code, 1 unless it has another. */
export async function runMain(main) {
  try {
    process.exitCode = (await main(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode ?? 1;
  }
}

/** Whether the script with this `import.meta.url` was started by node itself rather than imported. */
export function isMain(url) {
  // Node resolves links in the path of a module, and not in its argument.
  const path = process.argv[1];
  return path !== undefined && existsSync(path) && fileURLToPath(url) === realpathSync(path);
}

/** Runs `work` between "label ..." and the seconds it took, on one line of stderr. */
export async function step(label, work) {
  const begin = Date.now();
  process.stderr.write(`neox: ${label} ... `);
  try {
    const value = await work();
    process.stderr.write(`${((Date.now() - begin) / 1000).toFixed(1)} s\n`);
    return value;
  } catch (error) {
    process.stderr.write('failed\n');
    throw error;
  }
}

/**
 * Runs a command with stdout and stderr in `.cache/log/<name>.log`.
 * @throws StepError with the end of the log when the command fails.
 */
export function runLogged(name, command, args, options = {}) {
  const path = join(cacheDir, 'log', `${name}.log`);
  mkdirSync(dirname(path), { recursive: true });
  const log = openSync(path, options.append ? 'a' : 'w');
  const done = spawnSync(command, args, { cwd: root, ...options, stdio: ['ignore', log, log] });
  closeSync(log);
  if (done.status === 0) return;
  const cause = done.error?.message ?? (done.signal ? `ended by ${done.signal}` : `exit code ${done.status}`);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  // The first error tells most, and it may stand far above the end.
  const first = lines.findIndex((line) => /\b(fatal )?error\b[: ]/i.test(line));
  const tail = Math.max(lines.length - 15, 0);
  const shown = first >= 0 && first < tail ? [...lines.slice(first, first + 10), '...'] : [];
  const ending = [...shown, ...lines.slice(tail)].map((line) => line.slice(0, 400)).join('\n');
  throw new StepError(`${ending}\n${command} failed (${cause}). Whole log: ${relative(root, path)}`);
}

/** What starts npm: the command, its arguments and options of spawnSync. It is the npm that runs this, where one does. */
export function npmCommand(args) {
  const script = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(script)) return [process.execPath, [script, ...args], {}];
  return ['npm', args, { shell: process.platform === 'win32' }];
}

/** The first line that `command` prints, or null when it cannot be run. */
export function firstLine(command, args = ['--version']) {
  const done = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return done.status === 0 ? `${done.stdout}${done.stderr}`.split('\n')[0].trim() : null;
}

/** The name under which Python 3 runs here, or null. */
export function findPython() {
  const names = process.platform === 'win32' ? ['python', 'python3', 'py'] : ['python3', 'python'];
  return names.find((name) => firstLine(name)?.startsWith('Python 3')) ?? null;
}
