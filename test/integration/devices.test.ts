// A device library that comes at run time: found, loaded, tried, refused, and fallen back from. The GPU is a stand-in, the CPU
// under another name (test/devices/stand_in.cpp); a copy of it under the name of a fault has that fault.

import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { demoModelPath, type LoadOptions, listDevices, Model, systemInfo } from '../../lib/index.js';

const root = join(__dirname, '..', '..');
const standIn = join(root, 'build-cmake', 'bin', 'stand_in_device.so');
const isPosix = process.platform !== 'win32';
if (!isPosix) console.log('skipped: the stand-in of a device library is made for POSIX alone');
const onPosix = isPosix ? describe : describe.skip;

onPosix('devices', () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-devices-'));
  const own = process.env.NEOX_CUDA_LIBRARY;
  const prompt = '富士山の高さは?';
  let expected: number[];

  /** Names the library for the loads of this test. */
  function useLibrary(fault: string): string {
    const path = join(folder, `${fault}.so`);
    if (!existsSync(path)) copyFileSync(standIn, path);
    process.env.NEOX_CUDA_LIBRARY = path;
    return path;
  }

  function restore(): void {
    if (own === undefined) delete process.env.NEOX_CUDA_LIBRARY;
    else process.env.NEOX_CUDA_LIBRARY = own;
  }

  async function idsOf(model: Model): Promise<number[]> {
    return (await model.generate(prompt, { maxNewTokens: 24, temperature: 0 }).result()).tokenIds;
  }

  async function withModel<T>(options: LoadOptions, run: (model: Model) => Promise<T>): Promise<T> {
    const model = await Model.load(demoModelPath(), options);
    try {
      return await run(model);
    } finally {
      await model.dispose();
    }
  }

  beforeAll(async () => {
    if (!existsSync(standIn))
      throw new Error(`${standIn} is missing: node scripts/setup.mjs --tests builds it.`);
    delete process.env.NEOX_CUDA_LIBRARY;
    expected = await withModel({ device: 'cpu' }, idsOf);
  });
  afterEach(restore);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each<[LoadOptions, number]>([
    [{ device: 'cuda' }, 4],
    [{ device: 'cuda', gpuLayers: 4, deterministic: true }, 4],
    [{ device: 'cuda', gpuLayers: 3 }, 3],
    [{ device: 'cuda', gpuLayers: 1 }, 1],
    [{ device: 'cuda', gpuLayers: 0 }, 0],
    [{}, 4],
    [{ device: 'auto', gpuLayers: 2 }, 2],
    [{ device: 'cpu', gpuLayers: 0 }, 0],
  ])('%j gives the ids of the CPU with %i layers on the GPU', async (options, gpuLayers) => {
    useLibrary('good');
    await withModel(options, async (model) => {
      const device = gpuLayers > 0 ? 'cuda' : 'cpu';
      const isDeterministic = gpuLayers === 0 || options.deterministic === true;
      expect(model.info).toMatchObject({ device, gpuLayers, isDeterministic });
      expect(await idsOf(model)).toEqual(expected);
    });
  });

  test('two models on two devices and two cuts run at once', async () => {
    useLibrary('good');
    const options: LoadOptions[] = [
      { device: 'cuda' },
      { device: 'cpu' },
      { gpuLayers: 3 },
      { gpuLayers: 3 },
    ];
    const models = await Promise.all(options.map((each) => Model.load(demoModelPath(), each)));
    expect(models.map(({ info }) => info.gpuLayers)).toEqual([4, 0, 3, 3]);
    expect(await Promise.all(models.map(idsOf))).toEqual(models.map(() => expected));
    await Promise.all(models.map((model) => model.dispose()));
  });

  test('a worker thread shares the library', async () => {
    const library = useLibrary('good');
    const code = `
      const { parentPort } = require('node:worker_threads');
      process.env.NEOX_CUDA_LIBRARY = ${JSON.stringify(library)};
      const { Model, demoModelPath } = require(${JSON.stringify(join(root, 'dist', 'index.js'))});
      (async () => {
        const model = await Model.load(demoModelPath(), { device: 'cuda', gpuLayers: 2 });
        const { tokenIds } = await model.generate(${JSON.stringify(prompt)}, { maxNewTokens: 24, temperature: 0 }).result();
        parentPort.postMessage([model.info.gpuLayers, tokenIds]);
        await model.dispose();
      })();`;
    const run = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const worker = new Worker(code, { eval: true });
        worker.once('message', resolve).once('error', reject);
      });
    const [a, b, here] = await Promise.all([run(), run(), withModel({ device: 'cuda' }, idsOf)]);
    expect([a, b, here]).toEqual([[2, expected], [2, expected], expected]);
  });

  // What `device: 'cuda'` says; under `auto` the same words are why the CPU was taken.
  test.each([
    ['absent', 'ERR_NEOX_BACKEND', /absent\.so/],
    ['text', 'ERR_NEOX_BACKEND', /text\.so' cannot be loaded: .*(too short|invalid ELF header|mach-o)/],
    ['foreign', 'ERR_NEOX_BACKEND', /is no device library of this project/],
    ['old-version', 'ERR_NEOX_BACKEND', /is of version 0\.0\.9, but this is version/],
    ['old-interface', 'ERR_NEOX_BACKEND', /has interface 0 instead of 1/],
    ['other-build', 'ERR_NEOX_BACKEND', /built from another source/],
    ['empty', 'ERR_NEOX_BACKEND', /has no device/],
    ['silent', 'ERR_NEOX_BACKEND', /does not answer/],
    ['old-driver', 'ERR_NEOX_BACKEND', /driver is too old: 470\.82 speaks CUDA 11\.4, and 12\.0 is needed/],
    ['choosy', 'ERR_NEOX_UNSUPPORTED', /takes no such tensor/],
    ['full', 'ERR_NEOX_OUT_OF_MEMORY', /no room for weights/],
    ['full-later', 'ERR_NEOX_OUT_OF_MEMORY', /no room for keys and values/],
    [
      'tiny',
      'ERR_NEOX_OUT_OF_MEMORY',
      /weights.*needed, 0\.1 MiB of 8192\.0 MiB can be had\. Not even one of 4/,
    ],
  ])('%s: cuda is %s, auto the CPU', async (fault, code, message) => {
    const path = useLibrary(fault === 'absent' ? 'good' : fault);
    if (fault === 'absent') process.env.NEOX_CUDA_LIBRARY = join(folder, 'absent.so');
    if (fault === 'text') writeFileSync(path, 'no library at all');
    const load = Model.load(demoModelPath(), { device: 'cuda' });
    await expect(load).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await withModel({}, async (model) => {
      expect(model.info).toMatchObject({ device: 'cpu', gpuLayers: 0, isDeterministic: true });
      expect(model.info.deviceNote).toMatch(message);
      expect(await idsOf(model)).toEqual(expected);
    });
  });

  test('a library without the function is none of ours', async () => {
    const addon = join(root, 'build', 'Release', 'neox.node');
    process.env.NEOX_CUDA_LIBRARY = addon;
    const load = Model.load(demoModelPath(), { device: 'cuda' });
    await expect(load).rejects.toMatchObject({
      message: expect.stringMatching(/does not export neox_device_library/),
    });
  });

  test('what does not fit whole is cut: auto takes the layers that fit, cuda says how many', async () => {
    useLibrary('small');
    const options = { maxSequences: 1, contextLength: 256 };
    const message = /The model does not fit on Stand-in: .* The last (\d) of 4 layers fit: gpuLayers \1\./;
    const load = Model.load(demoModelPath(), { device: 'cuda', ...options });
    const error: Error & { code?: string } = await load.then(
      () => new Error('it was loaded'),
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: 'ERR_NEOX_OUT_OF_MEMORY', message: expect.stringMatching(message) });
    const fitting = Number(message.exec(error.message)?.[1]);
    expect(fitting).toBeGreaterThan(0);
    expect(fitting).toBeLessThan(4);
    await withModel(options, async (model) => {
      expect(model.info).toMatchObject({ device: 'cuda', gpuLayers: fitting });
      expect(model.info.deviceNote).toMatch(message);
      expect(await idsOf(model)).toEqual(expected);
      // What lies there already takes no more room.
      await withModel(options, async (second) => expect(second.info.gpuLayers).toBe(fitting));
    });
    await withModel({ device: 'cuda', gpuLayers: fitting, ...options }, async (model) => {
      expect(model.info).not.toHaveProperty('deviceNote');
    });
    const { gpu, gpuNote } = await Model.inspect(demoModelPath(), { device: 'auto', ...options });
    expect(gpu).toMatchObject({ name: 'Stand-in', freeBytes: 266 << 20, gpuLayers: fitting });
    expect(gpuNote).toBeUndefined();
  });

  test('an inspection asks the GPU for the sequences that a load would have', async () => {
    useLibrary('small');
    const inspect = async (options: LoadOptions): Promise<[number, number]> => {
      const { gpu, memory } = await Model.inspect(demoModelPath(), { device: 'auto', ...options });
      return [gpu?.memory.kvCacheBytes ?? 0, memory.kvCacheBytes];
    };
    const [[four, one], [two, alsoTwo]] = await Promise.all([inspect({}), inspect({ maxSequences: 2 })]);
    expect([four, two, alsoTwo]).toEqual([4 * one, 2 * one, 2 * one]);
    const { gpu } = await Model.inspect(demoModelPath(), { device: 'auto' });
    await withModel({}, async (model) => expect(model.info.gpuLayers).toBe(gpu?.gpuLayers));
  });

  test('a device that breaks down fails the call, and the model still ends', async () => {
    useLibrary('broken');
    await withModel({ device: 'cuda' }, async (model) => {
      const message = expect.stringMatching(/broke down/);
      await expect(idsOf(model)).rejects.toMatchObject({ code: 'ERR_NEOX_BACKEND', message });
    });
  });

  test.each([
    [
      'more layers than the model has',
      { device: 'cuda', gpuLayers: 5 },
      /from 0 to 4, the layers of the model, but is 5/,
    ],
    ['more layers under auto', { gpuLayers: 1000 }, /but is 1000/],
    ['layers of the CPU on a GPU', { device: 'cpu', gpuLayers: 1 }, /gpuLayers/],
    ['half a layer', { gpuLayers: 1.5 }, /an integer/],
    ['fewer than none', { gpuLayers: -1 }, /an integer/],
    ['no boolean', { deterministic: 1 }, /a boolean/],
    ['another device', { device: 'cud' }, /Did you mean/],
  ])('%s is an argument error', async (_, options, message) => {
    useLibrary('good');
    const load = Model.load(demoModelPath(), options as LoadOptions);
    await expect(load).rejects.toMatchObject({
      code: 'ERR_NEOX_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  test('devices are listed with what they say, or why they cannot be used', async () => {
    const library = useLibrary('good');
    expect(systemInfo().cuda).toBe(library);
    const [cpu, gpu] = await listDevices();
    expect(cpu).toEqual({ device: 'cpu', isUsable: true, name: 'CPU', driver: systemInfo().isa });
    expect(gpu).toEqual({
      device: 'cuda',
      isUsable: true,
      name: 'Stand-in',
      driver: 'no driver, the CPU',
      totalBytes: 8192 * 2 ** 20,
      freeBytes: 4096 * 2 ** 20,
      library,
    });
    const old = useLibrary('old-driver');
    expect((await listDevices())[1]).toEqual({
      device: 'cuda',
      isUsable: false,
      reason: expect.stringMatching(/driver is too old/),
      library: old,
    });
    process.env.NEOX_CUDA_LIBRARY = '';
    const [, none] = await listDevices();
    if (process.platform === 'linux' && !existsSync(join(root, 'build', 'Release', 'libneox_cuda.so'))) {
      expect(none).toEqual({ device: 'cuda', isUsable: false, reason: systemInfo().cuda });
      expect(systemInfo().cuda).toMatch(/There is no CUDA library .*neox build --cuda/);
    }
  });

  test('an inspection asks the GPU only when it is told to', async () => {
    useLibrary('good');
    const [silent, asked] = await Promise.all([
      Model.inspect(demoModelPath()),
      Model.inspect(demoModelPath(), { device: 'cuda' }),
    ]);
    expect(silent).not.toHaveProperty('gpu');
    expect(asked.gpu).toMatchObject({ gpuLayers: 4, totalBytes: 8192 * 2 ** 20 });
    expect(asked.gpu?.layersMemory).toEqual(asked.gpu?.memory);
    useLibrary('old-driver');
    await expect(Model.inspect(demoModelPath(), { device: 'cuda' })).rejects.toMatchObject({
      code: 'ERR_NEOX_BACKEND',
    });
    expect((await Model.inspect(demoModelPath(), { device: 'auto' })).gpuNote).toMatch(/too old/);
  });

  test('a session goes on with any cut', async () => {
    useLibrary('good');
    const file = join(folder, 'session');
    const next = { maxNewTokens: 8, temperature: 0 };
    const saved = await withModel({ gpuLayers: 2 }, async (model) => {
      const session = model.createSession();
      const ids = Array.from({ length: 100 }, (_, i) => 10 + i);
      await session.generate(ids, { maxNewTokens: 1 }).result();
      await session.save(file);
      return session.generate([5], next).result();
    });
    for (const options of [
      { gpuLayers: 2 },
      { gpuLayers: 1 },
      { gpuLayers: 4 },
      { device: 'cpu' },
    ] as const) {
      await withModel(options, async (model) => {
        const session = await model.restoreSession(file);
        const { tokenIds } = await session.generate([5], next).result();
        expect(tokenIds).toEqual(saved.tokenIds);
      });
    }
  });
});
