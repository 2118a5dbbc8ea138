// The optional package of the device library, as npm would lay it beside gpt-neox: packed here with a stand-in inside, found by the
// package, and second to a file that is named.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const standIn = join(root, 'build-cmake', 'bin', 'stand_in_device.so');
const name = `gpt-neox-cuda-${process.platform}-${process.arch}`;
const isPackaged = name === 'gpt-neox-cuda-linux-x64';
if (!isPackaged)
  console.log(`skipped: the test of the optional package runs on Linux x64 alone, not as ${name}`);
const onPackaged = isPackaged ? test : test.skip;

function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd = root): string {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
  if (done.status !== 0) throw new Error(`${command} ended with ${done.status}: ${done.stderr}`);
  return done.stdout.trim();
}

onPackaged('is packed, found and loaded', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'neox-cuda-package-')));
  try {
    const pack = [join(root, 'scripts', 'pack_cuda.mjs'), '--library', standIn, '--destination', folder];
    const packed = run(process.execPath, pack);
    const modules = join(folder, 'node_modules');
    const own = join(modules, 'gpt-neox');
    for (const file of [
      'package.json',
      'dist',
      join('build', 'Release', 'neox.node'),
      join('lib', 'assets'),
    ]) {
      cpSync(join(root, file), join(own, file), { recursive: true });
    }
    cpSync(join(root, 'node_modules', 'node-gyp-build'), join(modules, 'node-gyp-build'), {
      recursive: true,
    });
    mkdirSync(join(modules, name));
    run('tar', ['xzf', packed, '-C', join(modules, name), '--strip-components=1']);
    for (const file of ['LICENSE', 'NOTICE', 'README.md']) {
      expect(existsSync(join(modules, name, file))).toBe(true);
    }
    const code = `
      const { demoModelPath, listDevices, Model } = require('gpt-neox');
      (async () => {
        const [, cuda] = await listDevices();
        const model = await Model.load(demoModelPath());
        console.log(JSON.stringify({ ...cuda, gpuLayers: model.info.gpuLayers }));
        await model.dispose();
      })();`;
    const look = (env: NodeJS.ProcessEnv): unknown =>
      JSON.parse(run(process.execPath, ['-e', code], { NEOX_CUDA_LIBRARY: '', ...env }, folder));
    const readme = readFileSync(join(modules, name, 'README.md'), 'utf8');
    expect(readme).toMatch(/needs glibc 2\.\d+(\.\d+)? or later/);
    const library = join(modules, name, 'neox_cuda.node');
    expect(look({})).toMatchObject({ device: 'cuda', isUsable: true, library, gpuLayers: 4 });
    const built = join(own, 'build', 'Release', 'libneox_cuda.so');
    cpSync(standIn, built);
    expect(look({})).toMatchObject({ library: built, gpuLayers: 4 });
    const named = join(folder, 'old-driver.so');
    cpSync(standIn, named);
    expect(look({ NEOX_CUDA_LIBRARY: named })).toMatchObject({
      library: named,
      isUsable: false,
      gpuLayers: 0,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
