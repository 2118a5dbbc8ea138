// A model whose prompts take long enough to be interrupted: random weights of the smallest shape, a context of many positions.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model, synth } from '../../lib/index.js';

const CONTEXT = 8_192;

export interface SlowModelFile {
  path: string;
  remove(): void;
}

export async function makeSlowModelFile(): Promise<SlowModelFile> {
  const folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
  const path = join(folder, 'tiny.gguf');
  await synth(path, { shape: 'tiny', type: 'Q8_0', tokenizer: false });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Loads it, and keeps the expected warning about the context's length from the terminal. */
export async function loadSlowModel(path: string): Promise<Model> {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    const model = await Model.load(path, { contextLength: CONTEXT, maxSequences: 2 });
    expect(warn.mock.calls).toEqual([[expect.stringContaining(`${CONTEXT}`), 'NeoxWarning']]);
    return model;
  } finally {
    warn.mockRestore();
  }
}

export function promptOf(length: number): Int32Array {
  return Int32Array.from({ length }, (_, index) => (index * 7919 + 13) % 2560);
}

/** A prompt whose prefill takes about a second, whatever instruction set is in use, and how long it takes. */
export async function findLongPrompt(model: Model): Promise<{ prompt: Int32Array; prefillMs: number }> {
  const measure = async (length: number): Promise<number> => {
    const result = await model.generate(promptOf(length), { maxNewTokens: 1 }).result();
    return result.timings.prefillMs;
  };
  const length = Math.min(5_000, Math.max(600, Math.round((600 * 1000) / (await measure(600)))));
  return { prompt: promptOf(length), prefillMs: await measure(length) };
}
