// No object of ours has a destructor that runs when the process ends: threads of the engine may still run then. Whatever asks
// for such a destructor, at file scope or inside a function, refers to __cxa_atexit.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(__dirname, '..', 'build-cmake');
const hasNm = process.platform === 'linux' && spawnSync('nm', ['--version']).status === 0;
const onLinux = hasNm ? test : test.skip;
if (!hasNm) process.stderr.write('Skipped the look for destructors: it takes Linux and nm (binutils).\n');

function objects(): string[] {
  const binding = join(folder, 'CMakeFiles', 'neox.dir', 'native', 'binding');
  return [
    ...['libneox_core.a', 'libneox_tokenizer.a'].map((name) => join(folder, name)),
    ...readdirSync(binding)
      .filter((name) => name.endsWith('.o'))
      .map((name) => join(binding, name)),
  ];
}

onLinux('nothing registers a destructor for the end of the process', () => {
  const { status, stdout, stderr } = spawnSync('nm', ['-A', '--undefined-only', ...objects()], {
    encoding: 'utf8',
    maxBuffer: 1 << 27,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines.some((line) => /\bnapi_create_threadsafe_function$/.test(line))).toBe(true);
  const found = lines.filter((line) => /\b(__cxa_atexit|atexit|__cxa_at_quick_exit)$/.test(line));
  // sentencepiece's headers include <iostream>, whose object flushes the standard streams.
  expect(found.map((line) => line.split(':').at(-2))).toEqual(['tokenizer.cpp.o']);
  const archive = join(folder, 'libneox_tokenizer.a');
  const relocations = spawnSync('objdump', ['-r', archive], { encoding: 'utf8' }).stdout.split('\n');
  const referring = (symbol: RegExp): number => relocations.filter((line) => symbol.test(line)).length;
  expect(referring(/\b__cxa_atexit\b/)).toBe(1);
  expect(referring(/ios_base4InitD1Ev/)).toBe(1);
});
