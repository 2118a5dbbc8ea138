// Makes a model smaller and measures what that costs: node quantize.js [model.gguf or directory] [type]
// Without arguments a model with random weights is made and quantized.

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareModels, type FileTypeName, Model, type Progress, quantize, synth } from 'gpt-neox';

const text = '吾輩は猫である。名前はまだ無い。'.repeat(40);

async function main(given?: string, type = 'Q4_K_M' as FileTypeName): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'quantize-'));
  const source = given ?? join(folder, 'source.gguf');
  if (given === undefined) await synth(source, { shape: 'tiny', type: 'F16' });

  const output = join(folder, `${type}.gguf`);
  let last = 0;
  const onProgress = ({ done, total }: Progress): void => {
    last = done / total;
  };
  // The file appears under its name when it is whole; an AbortSignal stops the job.
  await quantize(source, output, { type, onProgress, signal: AbortSignal.timeout(600_000) });
  console.log(
    `${(100 * last).toFixed()} %: ${(await stat(output)).size} bytes of ${(await stat(source)).size}`,
  );

  const [before, after] = [await Model.load(source), await Model.load(output)];
  const { meanKl, topAgreement } = await compareModels(before, after, { text, contextLength: 128 });
  console.log(`divergence ${meanKl.toFixed(4)}, the same best token at ${(100 * topAgreement).toFixed(1)} %`);
  await before.dispose();
  await after.dispose();
  await rm(folder, { recursive: true });
}

void main(...(process.argv.slice(2) as [string?, FileTypeName?]));
