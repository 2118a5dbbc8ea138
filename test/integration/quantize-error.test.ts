// What quantizing loses, beside ggml's own quantizers on the same values and by their own measure. Runs where a Python with
// llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise): its package holds ggml as a library.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run, testWhere } from './python.js';

const bench = join('build-cmake', 'bin', process.platform === 'win32' ? 'neox_bench.exe' : 'neox_bench');
testWhere('llama_cpp')(
  'no type has more weighted error than with ggml',
  () => {
    expect(existsSync(bench)).toBe(true);
    const library = run('ggml_library.py').trim();
    const done = spawnSync(bench, ['quantize', '0', library], { encoding: 'utf8' });
    const lines = done.stdout.split('\n').filter((line) => /\d ns +\d/.test(line));
    expect(lines.length).toBe(11 * 3 * 2); // types, distributions, without and with importance
    expect(lines.filter((line) => line.includes('WORSE'))).toEqual([]);
    expect(done.status).toBe(0);
  },
  60_000,
);
