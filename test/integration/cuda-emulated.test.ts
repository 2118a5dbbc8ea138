// The device library itself, compiled for the CPU (native/cuda/host), loaded by the package as that of a GPU would be: all of the
// way from Model.load to the kernels. It runs thousands of times slower than a GPU, so models are tiny and answers short.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoadOptions, listDevices, Model } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';

const library = join(__dirname, '..', '..', 'build-cmake', 'bin', 'libneox_cuda_emulated.so');
const isLinux = process.platform === 'linux';
if (!isLinux) console.log('skipped: the device library is emulated on Linux alone');
const onLinux = isLinux ? describe : describe.skip;

onLinux('the device library on the CPU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-emulated-'));
  const own = process.env.NEOX_CUDA_LIBRARY;
  const prompt = [5, 6, 7, 8];
  let expected: { ids: number[]; logits: Float32Array };

  async function answer(model: Model): Promise<typeof expected> {
    const { tokenIds } = await model.generate(prompt, { maxNewTokens: 5, temperature: 0 }).result();
    const { data } = await model.logits(prompt);
    return { ids: tokenIds, logits: data };
  }

  async function withModel<T>(options: LoadOptions, run: (model: Model) => Promise<T>): Promise<T> {
    const model = await Model.load(checkpointPath('sequential-erf'), { contextLength: 128, ...options });
    try {
      return await run(model);
    } finally {
      await model.dispose();
    }
  }

  beforeAll(async () => {
    if (!existsSync(library))
      throw new Error(`${library} is missing: node scripts/setup.mjs --tests builds it.`);
    process.env.NEOX_CUDA_LIBRARY = library;
    expected = await withModel({ device: 'cpu' }, answer);
  });
  afterAll(() => {
    if (own === undefined) delete process.env.NEOX_CUDA_LIBRARY;
    else process.env.NEOX_CUDA_LIBRARY = own;
    rmSync(folder, { recursive: true, force: true });
  });

  test('says that it is no GPU', async () => {
    const [, device] = await listDevices();
    expect(device).toMatchObject({ isUsable: true, name: 'Emulated device', library });
  });

  test.each<[LoadOptions, number]>([
    [{ device: 'cuda', deterministic: true }, 2],
    [{ device: 'cuda', gpuLayers: 1 }, 1],
  ])(
    '%j gives the ids of the CPU, and its logits to 1e-4 of the largest',
    async (options, gpuLayers) => {
      const { ids, logits } = await withModel(options, (model) => {
        expect(model.info).toMatchObject({ device: 'cuda', gpuLayers, precision: 'exact' });
        return answer(model);
      });
      expect(ids).toEqual(expected.ids);
      const largest = Math.max(...expected.logits.map(Math.abs));
      const difference = Math.max(...logits.map((x, i) => Math.abs(x - (expected.logits[i] ?? Number.NaN))));
      expect(difference / largest).toBeLessThan(1e-4);
    },
    120_000,
  );

  test('a session is restored with its blocks, there and on the CPU', async () => {
    const file = join(folder, 'session');
    const next = { maxNewTokens: 2, temperature: 0 };
    const goOn = async (model: Model): Promise<number[]> => {
      const restored = await model.restoreSession(file);
      return (await restored.generate([9], next).result()).tokenIds;
    };
    const before = await withModel({ device: 'cuda', kvCacheType: 'f16' }, async (model) => {
      const session = model.createSession();
      const ids = Array.from({ length: 66 }, (_, i) => 5 + i);
      await session.generate(ids, { maxNewTokens: 1, temperature: 0 }).result();
      await session.save(file);
      const { tokenIds } = await session.generate([9], next).result();
      expect(await goOn(model)).toEqual(tokenIds);
      return tokenIds;
    });
    expect(await withModel({ device: 'cpu', kvCacheType: 'f16' }, goOn)).toEqual(before);
  }, 120_000);
});
