// Loads of a model: weights that several share, progress, aborts and errors.

import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Model, type Progress } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';

const path = checkpointPath('sequential-erf');

test('several loads share weights, and one outlives another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
  const file = join(folder, 'model.gguf');
  const logits = async (model: Model) => Array.from((await model.logits([1, 2, 3])).data);
  try {
    await convert(path, file);
    utimesSync(file, 1_000_000, 1_000_000);
    const a = await Model.load(file);
    const before = await logits(a);
    // Other weights under the same name, size and time: only a load that reads the file again can know.
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, bytes.length / 2));
    utimesSync(file, 1_000_000, 1_000_000);
    const reports: Progress[] = [];
    const b = await Model.load(file, { onProgress: (progress) => reports.push(progress) });
    expect(reports).toEqual([{ done: b.info.weightsBytes, total: b.info.weightsBytes }]);
    await a.dispose();
    expect(await logits(b)).toEqual(before);
    await b.dispose();
    const c = await Model.load(file);
    expect(await logits(c)).not.toEqual(before);
    await c.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('load', () => {
  test('an aborted signal ends it before it begins', async () => {
    const reason = new Error('no');
    await expect(Model.load(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('an abort while it runs rejects with the reason', async () => {
    const controller = new AbortController();
    const loading = Model.load(path, { signal: controller.signal });
    const reason = new Error('no');
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
  });

  test('what onProgress throws, it rejects with', async () => {
    const boom = new Error('boom');
    const onProgress = (): void => {
      throw boom;
    };
    await expect(Model.load(path, { onProgress })).rejects.toBe(boom);
  });

  test('progress ends at the total', async () => {
    const reports: { done: number; total: number }[] = [];
    const model = await Model.load(path, { onProgress: (progress) => reports.push(progress) });
    expect(reports.at(-1)?.done).toBe(reports.at(-1)?.total);
    await model.dispose();
  });

  test.each([
    ['a path that is not there', () => Model.load('no/such/model.gguf'), 'ERR_NEOX_FILE_NOT_FOUND'],
    ['a file that is no model', () => Model.load(__filename), 'ERR_NEOX_FORMAT_MAGIC'],
    ['a path of another type', () => Model.load(1 as never), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['an unknown option', () => Model.load(path, { thread: 1 } as never), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['too many threads', () => Model.load(path, { threads: 257 }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['an unknown type', () => Model.load(path, { type: 'Q9' as never }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['no room for one block', () => Model.load(path, { kvCacheBytes: 100 }), 'ERR_NEOX_INVALID_ARGUMENT'],
    ['a device that is not built in', () => Model.load(path, { device: 'cuda' }), 'ERR_NEOX_BACKEND'],
  ])('%s is an error', async (_, run, code) => {
    await expect(run()).rejects.toMatchObject({ code });
  });
});
