import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkpoint, expectFailure, neox, temporaryFolder } from './program.js';

// Windows has no signals to send to another process.
const onPosix = process.platform === 'win32' ? test.skip : test;
const folder = temporaryFolder();
afterAll(folder.remove);
const at = (name: string) => join(folder.path, name);

interface Inspection {
  type: string;
  config: { hiddenSize: number };
  tensors: { name: string; type: string; shape: number[] }[];
  contextLength: number;
  memory: { weightsBytes: number; kvCacheBytes: number };
}

async function inspect(path: string, ...args: string[]): Promise<Inspection> {
  const { status, stdout, stderr } = await neox(['inspect', path, '--json', ...args]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Inspection;
}

describe('convert', () => {
  test('writes a GGUF file, and says where on stderr', async () => {
    const output = at('model.gguf');
    const { status, stdout, stderr } = await neox(['convert', checkpoint, '-o', output]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^neox: wrote .*model\.gguf, [\d.]+ KiB in /);
    expect(status).toBe(0);
    expect(readFileSync(output).subarray(0, 4).toString()).toBe('GGUF');
    expect((await inspect(output)).type).toBe('F32');
  });

  test('--type quantizes the matrices', async () => {
    const output = at('model.Q8_0.gguf');
    expect((await neox(['convert', checkpoint, '--type', 'Q8_0', '-o', output])).status).toBe(0);
    const { type, tensors } = await inspect(output);
    expect(type).toBe('Q8_0');
    expect(
      tensors.filter((tensor) => tensor.shape.length === 1).every((tensor) => tensor.type === 'F32'),
    ).toBe(true);
  });

  test('does not overwrite a file unless --force', async () => {
    const output = at('kept.gguf');
    writeFileSync(output, 'kept');
    expectFailure(await neox(['convert', checkpoint, '-o', output]), 3, /exists already; --force/);
    expect(readFileSync(output, 'utf8')).toBe('kept');
    expect((await neox(['convert', checkpoint, '-o', output, '--force'])).status).toBe(0);
    expect((await inspect(output)).type).toBe('F32');
  });

  test('a broken checkpoint leaves nothing behind', async () => {
    const source = at('broken');
    const target = at('target');
    mkdirSync(source);
    mkdirSync(target);
    copyFileSync(join(checkpoint, 'config.json'), join(source, 'config.json'));
    const weights = readFileSync(join(checkpoint, 'model.safetensors'));
    writeFileSync(join(source, 'model.safetensors'), weights.subarray(0, weights.length - 1000));
    const ended = await neox(['convert', source, '-o', join(target, 'model.gguf')]);
    expectFailure(ended, 3, /\(ERR_NEOX_FORMAT_\w+\)/);
    expect(readdirSync(target)).toEqual([]);
  });

  test('a directory that does not exist', async () => {
    expectFailure(
      await neox(['convert', at('nowhere'), '-o', at('x.gguf')]),
      3,
      /\(ERR_NEOX_FILE_NOT_FOUND\)/,
    );
    expect(existsSync(at('x.gguf'))).toBe(false);
  });
});

describe('quantize', () => {
  const source = at('source.gguf');
  beforeAll(async () => {
    expect((await neox(['convert', checkpoint, '-o', source])).status).toBe(0);
  });

  test('writes a smaller file of the same model', async () => {
    const output = at('small.gguf');
    const { status, stderr } = await neox(['quantize', source, '--type', 'Q4_0', '-o', output]);
    expect(stderr).toMatch(/wrote .*small\.gguf/);
    expect(status).toBe(0);
    const [before, after] = [await inspect(source), await inspect(output)];
    expect(after.type).toBe('Q4_0');
    expect(after.tensors.map(({ name, shape }) => [name, shape])).toEqual(
      before.tensors.map(({ name, shape }) => [name, shape]),
    );
    expect(after.config).toEqual(before.config);
  });

  test('does not write over its input, even with --force', async () => {
    const before = readFileSync(source);
    const ended = await neox(['quantize', source, '--type', 'Q4_0', '-o', source, '--force']);
    expectFailure(ended, 3, /is the input itself/);
    expect(readFileSync(source).equals(before)).toBe(true);
  });
});

describe('synth', () => {
  test('the same seed gives the same file, another one another', async () => {
    const make = async (name: string, seed: string) => {
      const args = ['--shape', 'tiny', '--no-tokenizer', '--type', 'Q8_0', '--seed', seed, '-o', at(name)];
      expect((await neox(['synth', ...args])).status).toBe(0);
      return readFileSync(at(name));
    };
    const [first, again, other] = [
      await make('a.gguf', '1'),
      await make('b.gguf', '1'),
      await make('c.gguf', '2'),
    ];
    expect(first.equals(again)).toBe(true);
    expect(first.equals(other)).toBe(false);
  });

  test('--layers takes the first of them', async () => {
    const output = at('one-layer.gguf');
    const args = ['synth', '--shape', 'tiny', '--layers', '1', '-o', output];
    expect((await neox(args)).status).toBe(0);
    expect((await inspect(output)).tensors.filter(({ name }) => /attn_qkv\.weight$/.test(name))).toHaveLength(
      1,
    );
    expectFailure(await neox([...args.slice(0, 4), '3', '-o', at('none.gguf')]), 2, /has 2 layers, not 3/);
  });

  onPosix('Ctrl-C leaves nothing behind', async () => {
    const target = at('interrupted');
    mkdirSync(target);
    const { status, stderr } = await neox(
      ['synth', '--shape', '3.6b', '--no-tokenizer', '-o', join(target, 'm.gguf')],
      {
        onStart: (child) => {
          const watcher = watch(target, () => {
            watcher.close();
            child.kill('SIGINT');
          });
        },
      },
    );
    expect(stderr).toBe('neox: interrupted by SIGINT\n');
    expect(status).toBe(130);
    expect(readdirSync(target)).toEqual([]);
  });
});

describe('inspect', () => {
  test('shows where each value came from, the tensors and the memory', async () => {
    const { status, stdout, stderr } = await neox(['inspect', checkpoint, '--tensors', '-c', '100']);
    expect(stdout).toMatch(/^hidden_size +64 +file$/m);
    expect(stdout).toMatch(/^rope_scaling +null +default$/m);
    expect(stdout).toMatch(/100 positions/);
    expect(stdout).toMatch(/F32\s+128 x 64\s/);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('--type tells what loading would make', async () => {
    const tiny = at('inspected.gguf');
    expect(
      (await neox(['synth', '--shape', 'tiny', '--type', 'F16', '--no-tokenizer', '-o', tiny])).status,
    ).toBe(0);
    const { stdout } = await neox(['inspect', tiny, '--type', 'q4_k_m']);
    expect(stdout).toMatch(/^type +Q4_K_M$/m);
    expect(stdout).toMatch(/^matrices +7 Q4_K, 3 Q6_K$/m);
    const [stored, loaded] = [await inspect(tiny), await inspect(tiny, '--type', 'Q4_K_M')];
    expect(loaded.memory.weightsBytes).toBeLessThan(stored.memory.weightsBytes / 2);
  });

  test('the memory follows the context length', async () => {
    expect((await inspect(checkpoint, '--type', 'q4_k')).tensors.length).toBeGreaterThan(0);
    const [short, long] = [await inspect(checkpoint, '-c', '64'), await inspect(checkpoint, '-c', '128')];
    expect(long.contextLength).toBe(128);
    expect(long.memory.kvCacheBytes).toBe(2 * short.memory.kvCacheBytes);
    expect(long.memory.weightsBytes).toBe(short.memory.weightsBytes);
  });
});
