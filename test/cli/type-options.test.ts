import { TYPE_TABLE } from '../../lib/cli/type-options.js';
import { FILE_TYPES, synth } from '../../lib/index.js';
import { expectFailure, neox } from './program.js';

test('the table of types tells the sizes that files have', async () => {
  expect(TYPE_TABLE.map(([type]) => type)).toEqual([...FILE_TYPES]);
  for (const [type, bits, gigabytes] of TYPE_TABLE) {
    const plan = { shape: '3.6b', tokenizer: false, dryRun: true } as const;
    const f32 = await synth('never-written.gguf', { ...plan, type: 'F32' });
    const { tensorBytes } = await synth('never-written.gguf', { ...plan, type });
    expect([type, (tensorBytes / 1e9).toFixed(3)]).toEqual([type, gigabytes]);
    expect((32 * tensorBytes) / f32.tensorBytes).toBeCloseTo(Number(bits), 1);
  }
});

test('help teaches the types', async () => {
  const { stdout } = await neox(['quantize', '--help']);
  expect(stdout).toMatch(/Q4_K_M {3}5\.13 bits {3}2\.314 GB {2}a good balance/);
  for (const type of FILE_TYPES) expect(stdout).toContain(`\n  ${type} `);
});

test('a type that there is not', async () => {
  const ended = await neox(['quantize', 'absent.gguf', '--type', 'Q4_K_N', '-o', 'never-written.gguf']);
  expectFailure(ended, 2, /Did you mean `Q4_K_[MS]`/);
});
