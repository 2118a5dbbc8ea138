// What quantizing loses, beside ggml's own quantizers on the same values and by their own measure. Runs where a Python with
// llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise): its package holds ggml as a library.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const python = process.env.NEOX_PYTHON ?? 'python3';
const bench = join('build-cmake', 'bin', process.platform === 'win32' ? 'neox_bench.exe' : 'neox_bench');
const findLibrary = `
import pathlib, llama_cpp
folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
print(next(p for p in folder.iterdir() if p.name in ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll")))
`;

function ggmlLibrary(): string | null {
  const found = spawnSync(python, ['-c', findLibrary], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

const library = ggmlLibrary();
if (!library) console.warn(`Skipped: ${python} has no llama_cpp with ggml in it (set NEOX_PYTHON).`);

(library ? test : test.skip)(
  'no type has more weighted error than with ggml',
  () => {
    expect(existsSync(bench)).toBe(true);
    const done = spawnSync(bench, ['quantize', '0', library ?? ''], { encoding: 'utf8' });
    const lines = done.stdout.split('\n').filter((line) => /\d ns +\d/.test(line));
    expect(lines.length).toBe(11 * 3 * 2); // types, distributions, without and with importance
    expect(lines.filter((line) => line.includes('WORSE'))).toEqual([]);
    expect(done.status).toBe(0);
  },
  60_000,
);
