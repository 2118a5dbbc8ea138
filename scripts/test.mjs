// `npm test`: sets up what is missing, then runs everything, the quick and static steps first, and closes with
// "N passed, N failed". Every step runs even when an earlier one failed, unless the build itself did.
//
//   node scripts/test.mjs           all steps
//   node scripts/test.mjs native    only the C++ tests, on the instruction set chosen by itself or by NEOX_FORCE_ISA
//
// NEOX_FUZZ_SECONDS says for how many seconds of processor time each parser is fuzzed (20); 0 leaves that step out.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkCuda } from './check_cuda.mjs';
import { checkProcessors } from './check_processors.mjs';
import { checkWindows } from './check_windows.mjs';
import { buildFuzzers, runDrivers } from './fuzz.mjs';
import { usesZig } from './prebuild/compile.mjs';
import { hasZig } from './prebuild/zig.mjs';
import { ownTarget, prebuild } from './prebuild.mjs';
import { setup } from './setup.mjs';
import { cacheDir, root, runMain, StepError, step } from './steps.mjs';
import { sanitizerProblem } from './tools.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };

function count(passed) {
  total[passed ? 'passed' : 'failed'] += 1;
  return passed;
}

function node(args) {
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

function say(text) {
  process.stderr.write(`neox: ${text}\n`);
}

async function main([only, ...rest]) {
  await setup({ tests: true });
  const { nativeTestPath } = await import('./build.mjs');
  if (only === 'native') return spawnSync(nativeTestPath, rest, { stdio: 'inherit' }).status ?? 1;

  const require = createRequire(join(root, 'package.json'));
  say('structure');
  count(node([join(root, 'scripts', 'check_structure.mjs')]));
  say('lint and format');
  count(node([require.resolve('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings']));
  say('types');
  count(node([require.resolve('typescript/bin/tsc'), '--noEmit', '-p', join(root, 'test')]));
  say('documentation of the API');
  const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc');
  count(node([typedoc, '--options', join(root, 'scripts', 'typedoc.config.mjs'), '--emit', 'none']));
  await otherSystem('the compile for Windows', checkWindows);
  await otherSystem('the kernels on other processors', checkProcessors);
  await otherSystem('the device library', checkCuda);
  await otherSystem('the binary of the package', packagedBinary);
  await fuzz();
  say('tests');
  jest(require.resolve('jest/bin/jest'));

  const { passed, failed, skipped } = total;
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

async function otherSystem(what, check) {
  try {
    const reason = await check();
    if (reason === null) return count(true);
    total.skipped += 1;
    return say(`skipped ${what}: ${reason}`);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    say(error.message);
    return count(false);
  }
}

// test/prebuild and test/package look at it. Compiling all a second time takes minutes, so it is not asked of every run.
async function packagedBinary() {
  const target = ownTarget();
  if (!target) return `none is built for ${process.platform} ${process.arch}`;
  if (process.env.NEOX_PREBUILD !== '1' && !(usesZig(target) && hasZig())) {
    return 'NEOX_PREBUILD=1 compiles it, as npm run prebuild does';
  }
  await prebuild(target);
  return null;
}

// Two parsers at a time; each counts as one test.
async function fuzz() {
  const seconds = Number(process.env.NEOX_FUZZ_SECONDS ?? 20);
  const reason = seconds > 0 ? sanitizerProblem() : 'NEOX_FUZZ_SECONDS is 0';
  if (reason !== null) {
    total.skipped += 1;
    return say(`skipped the fuzz targets: ${reason}`);
  }
  try {
    await step('building the fuzz targets', () => buildFuzzers('driver'));
    const { failures, passed } = await runDrivers({ seconds });
    total.passed += passed;
    total.failed += failures.length;
    for (const { parser, output } of failures) say(`fuzz ${parser}\n${output}`);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    say(error.message);
    count(false);
  }
}

function jest(program) {
  const report = join(cacheDir, 'jest.json');
  rmSync(report, { force: true });
  const good = node([program, '--json', `--outputFile=${report}`, '--reporters=default']);
  if (!existsSync(report)) return count(false);
  const result = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  total.skipped += result.numPendingTests;
  // Jest may also fail as a whole, for example when it finds no test.
  if (!good && result.numFailedTests + result.numRuntimeErrorTestSuites === 0) count(false);
  return good;
}

await runMain(main);
