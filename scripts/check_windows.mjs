// Compiles and links the core and its tests for 64-bit Windows with Debian's mingw-w64, so that the Windows side is not
// imagined. Nothing is run. Without the compiler the check is skipped, except in CI on Debian, where it is installed.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cacheDir, firstLine, isMain, root, runLogged, runMain, step } from './steps.mjs';
import { aptInstall, canInstall } from './tools.mjs';

const compiler = 'x86_64-w64-mingw32-g++-posix';
const debianPackage = 'g++-mingw-w64-x86-64-posix';

/** The reason for which the check was skipped, or null when the build succeeded. */
export async function checkWindows() {
  if (!firstLine(compiler) && process.env.CI === 'true' && canInstall()) {
    await step(`installing ${debianPackage}`, () => aptInstall([debianPackage]));
  }
  if (!firstLine(compiler))
    return `${compiler} is not installed (on Debian: apt-get install ${debianPackage})`;
  const build = join(cacheDir, 'build-windows');
  const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'mingw-w64.cmake')}`;
  const jobs = String(availableParallelism());
  await step('compiling the core for Windows', () => {
    // Neither optimized nor with symbols: it does not run, and that takes half of the time.
    const options = [toolchain, '-DNEOX_ADDON=OFF', '-DCMAKE_BUILD_TYPE=None'];
    runLogged('windows', 'cmake', ['-S', root, '-B', build, ...options]);
    const target = ['--build', build, '--target', 'neox_programs', '--parallel', jobs];
    runLogged('windows', 'cmake', target, { append: true });
  });
  return null;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const reason = await checkWindows();
    if (reason) process.stderr.write(`neox: skipped: ${reason}\n`);
  });
}
