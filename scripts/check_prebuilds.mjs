// Holds the binaries in prebuilds/ to scripts/prebuild/problems.mjs, and with --run lets each generate text with the demo
// model, in a Node of its own platform: the machine's own, under qemu, under wine; its token ids are compared with
// scripts/prebuild/answers.json. Prints what was run, what was only looked at, and what is not there.
//
//   node scripts/check_prebuilds.mjs [--run] [--own]     --own: this machine's platform alone

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wrongAnswer } from './prebuild/answers.mjs';
import { hostsOf, runIn } from './prebuild/hosts.mjs';
import { problemsOf } from './prebuild/problems.mjs';
import { targets } from './prebuild/targets.mjs';
import { ownTarget } from './prebuild.mjs';
import { isMain, root, runMain, StepError } from './steps.mjs';

const script = join(root, 'scripts', 'prebuild', 'answer.cjs');

function main(argv) {
  const isOwnOnly = argv.includes('--own');
  const own = ownTarget();
  const wanted = isOwnOnly ? targets.filter((each) => each === own) : targets;
  const built = wanted.filter((target) => existsSync(join(root, target.file)));
  if (built.length === 0) throw new StepError('prebuilds/ has no binary of these. Run npm run prebuild.');
  let failures = 0;
  const say = (target, text) => process.stdout.write(`${target.name.padEnd(18)} ${text}\n`);
  for (const target of wanted) {
    if (!built.includes(target)) {
      say(target, 'not built');
      continue;
    }
    const problems = problemsOf(target, readFileSync(join(root, target.file)));
    failures += problems.length;
    for (const problem of problems) say(target, `WRONG: ${problem}`);
    if (!argv.includes('--run')) {
      if (problems.length === 0) say(target, 'looks right');
      continue;
    }
    const hosts = hostsFor(target, own);
    if (typeof hosts === 'string') {
      say(target, `built and looked at, not run: ${hosts}`);
      continue;
    }
    for (const host of hosts) {
      try {
        const { version, isa, answers } = runIn(host, script);
        const wrong = wrongAnswer(answers);
        failures += wrong === null ? 0 : 1;
        say(target, `${wrong === null ? 'ran' : `WRONG: ${wrong}`}: ${host.label} (${version}, ${isa})`);
      } catch (error) {
        failures += 1;
        say(target, `WRONG: ${host.label}: ${error.message}`);
      }
    }
  }
  return failures === 0 ? 0 : 1;
}

// A Node that cannot be obtained is a reason too: the other platforms are still to be checked.
function hostsFor(target, own) {
  if (target === own) return [{ label: `Node ${process.version}`, command: process.execPath, args: [] }];
  try {
    return hostsOf(target);
  } catch (error) {
    return error.message;
  }
}

if (isMain(import.meta.url)) await runMain(main);
