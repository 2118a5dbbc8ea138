// `npm start`: sets up what is missing, then hands over to the command line program.
//
//   npm start                       a chat in a terminal; without one, an answer to a built-in question
//   npm start -- "富士山の高さは?"    anything else goes to `neox` as it is

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setup } from './setup.mjs';
import { root, runMain } from './steps.mjs';

const builtInPrompt = '日本で一番高い山は何ですか?';

function neoxArguments(argv) {
  if (argv.length > 0) return argv;
  return process.stdin.isTTY && process.stdout.isTTY ? ['chat'] : ['run', builtInPrompt];
}

async function main(argv) {
  await setup();
  const cli = join(root, 'dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [cli, ...neoxArguments(argv)], { stdio: 'inherit' });
  // Ctrl-C reaches the child from the terminal; it decides what that means, and this process waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

await runMain(main);
