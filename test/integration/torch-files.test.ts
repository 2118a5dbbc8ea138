// Files of torch.save are read as torch.load(weights_only=True) reads them. Runs where a Python with the packages torch and
// safetensors is at hand (NEOX_PYTHON names one; python3 otherwise).

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, testWhere } from './python.js';

const program = join('build-cmake', 'bin', process.platform === 'win32' ? 'neox_test.exe' : 'neox_test');
const folder = mkdtempSync(join(tmpdir(), 'neox-torch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

testWhere('torch, safetensors')(
  '300 random checkpoints and 300 damaged copies are read as torch reads them',
  () => {
    expect(Number(run('torch_pairs.py', [folder, '300', '1']))).toBeGreaterThan(0);
    const read = spawnSync(program, ['torch_pairs'], {
      encoding: 'utf8',
      env: { ...process.env, NEOX_TORCH_PAIRS: folder },
    });
    expect(read.stdout).toContain('ok torch_pairs_are_read_alike');
  },
  120_000,
);
