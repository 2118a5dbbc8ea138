// What the command line says of devices, and what it does with them. The GPU is a stand-in (test/devices/stand_in.cpp).

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectFailure, neox, root, temporaryFolder } from './program.js';

const folder = temporaryFolder();
afterAll(folder.remove);
const standIn = join(root, 'build-cmake', 'bin', 'stand_in_device.so');
const isPosix = process.platform !== 'win32';
if (!isPosix) console.log('skipped: the stand-in of a device library is made for POSIX alone');
const onPosix = isPosix ? describe : describe.skip;
const demo = join(root, 'lib', 'assets', 'demo.Q8_0.gguf');

function library(fault: string): NodeJS.ProcessEnv {
  const path = join(folder.path, `${fault}.so`);
  copyFileSync(standIn, path);
  return { NEOX_CUDA_LIBRARY: path };
}

onPosix('devices', () => {
  test('inspect --devices is a table, with the reason under it', async () => {
    const good = await neox(['inspect', '--devices'], { env: library('good') });
    expect(good).toMatchObject({ status: 0, stderr: '' });
    expect(good.stdout).toMatch(/^cpu +yes +CPU/m);
    expect(good.stdout).toMatch(/^cuda +yes +Stand-in +4\.00 GiB of 8\.00 GiB free +no driver, the CPU$/m);
    const old = await neox(['inspect', '--devices'], { env: library('old-driver') });
    expect(old.stdout).toMatch(/^cuda +no /m);
    expect(old.stdout).toMatch(/^cuda: The driver is too old: /m);
  });

  test('inspect --devices --json is for programs', async () => {
    const env = library('good');
    const { stdout } = await neox(['inspect', '--devices', '--json'], { env });
    const { devices } = JSON.parse(stdout) as { devices: object[] };
    expect(devices).toMatchObject([
      { device: 'cpu', isUsable: true },
      { device: 'cuda', isUsable: true, library: env.NEOX_CUDA_LIBRARY },
    ]);
  });

  test('inspect of a model says what fits', async () => {
    const args = ['inspect', demo, '-c', '512'];
    const small = await neox(args, { env: library('small') });
    expect(small.stdout).toMatch(/^on Stand-in +the last \d of 4 layers: [\d.]+ MiB, 266\.00 MiB free$/m);
    const tiny = await neox(args, { env: library('tiny') });
    expect(tiny.stdout).toMatch(/^on Stand-in +not even one layer fits, /m);
    const none = await neox(args, { env: library('old-driver') });
    expect(none).toMatchObject({ status: 0, stdout: expect.not.stringContaining('Stand-in') });
    expect(none.stdout).toMatch(/^on a GPU +The driver is too old: /m);
    const without = await neox(args);
    expect(without).toMatchObject({ status: 0, stdout: expect.not.stringContaining('GPU') });
  });

  test('run takes the device and its layers', async () => {
    const args = ['run', '--json', '-n', '8', '--temperature', '0', 'こんにちは'];
    const [cpu, gpu, cut] = await Promise.all([
      neox([...args, '--device', 'cpu']),
      neox([...args, '--device', 'cuda', '--deterministic'], { env: library('good') }),
      neox([...args, '-ngl', '1'], { env: library('good') }),
    ]);
    const text = ({ stdout }: { stdout: string }): unknown => (JSON.parse(stdout) as { text: unknown }).text;
    expect([text(gpu), text(cut)]).toEqual([text(cpu), text(cpu)]);
  });

  test('run says why the GPU has no layers, or fewer than there are', async () => {
    const args = ['run', '-q', '-n', '1', 'こんにちは'];
    const run = async (fault: string, ...more: string[]): Promise<string> =>
      (await neox([...args, ...more], { env: library(fault) })).stderr;
    expect(await run('old-driver')).toMatch(/^neox: The driver is too old: [^\n]*\n$/);
    expect(await run('small', '-c', '256')).toMatch(/^neox: The model does not fit on Stand-in: /);
    expect(await run('good')).toBe('');
    expect(await run('old-driver', '-ngl', '0')).toBe('');
    const without = await neox([...args, '--device', 'auto'], { env: { NEOX_CUDA_LIBRARY: '' } });
    expect(without.stderr).toMatch(/^$|^neox: There is no CUDA /);
  });

  test('a device that cannot be used ends with 5, one that is full with 4', async () => {
    const args = ['run', '--device', 'cuda', 'x'];
    expectFailure(await neox(args, { env: library('old-driver') }), 5, /too old: .*\(ERR_NEOX_BACKEND\)/);
    expectFailure(await neox(args, { env: library('tiny') }), 4, /can be had.*\(ERR_NEOX_OUT_OF_MEMORY\)/);
    expectFailure(await neox(['run', '-ngl', '9', 'x']), 2, /gpuLayers must be from 0 to 4/);
  });
});

test('inspect needs a model or --devices, not both', async () => {
  expectFailure(await neox(['inspect']), 2, /a model, or --devices/);
  expectFailure(await neox(['inspect', demo, '--devices']), 2, /takes no model/);
  expectFailure(await neox(['inspect', '--devices', '-c', '5']), 2, /takes no -c/);
  expectFailure(await neox(['inspect', '--devices', '--tensors']), 2, /takes no --tensors/);
});

describe('build --cuda', () => {
  test('says what it does and what is missing', async () => {
    const { stderr, status } = await neox(['build', '--cuda', '--dry-run'], {
      env: { CUDACXX: join(folder.path, 'no-nvcc') },
    });
    expect(stderr).toMatch(/libneox_cuda\.so|neox_cuda\.dll/);
    expect(stderr).toMatch(/nvcc of the CUDA toolkit 12\.8 or later is needed|There is no CUDA for/);
    expect(status).toBe(5);
  });

  test.each([
    [['build', '--cuda-arch', '90a'], /--cuda-arch needs --cuda/],
    [['build', '--cuda', '--cuda-arch', 'hopper'], /compute capabilities without their dots/],
  ])('%j is wrong usage', async (args, message) => {
    expectFailure(await neox(args), 2, message);
  });
});
