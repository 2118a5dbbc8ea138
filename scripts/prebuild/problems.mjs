// What a binary of the package must be: right for its platform, in need of nothing that a plain system lacks, and closed.

import { homedir } from 'node:os';
import { root } from '../steps.mjs';
import { checkSignature } from './close_macho.mjs';
import { readElf } from './elf.mjs';
import { readMacho } from './macho.mjs';
import { readPe } from './pe.mjs';
import { oldestGlibc, oldestMacos } from './targets.mjs';

/** Node-API's two entry points, and nothing else: not sentencepiece, not the C++ library. */
export const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const glibc = ['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2', 'librt.so.1'];
const numericGlibc = /^GLIBC_[\d.]+$/;
const windows = /^(kernel32|advapi32|bcryptprimitives|ntdll|api-ms-win-[\w-]+)\.dll$/;
const libraries = {
  linux: ({ arch, isMusl }) =>
    // Every musl, Alpine's too, takes "libc.so" for itself.
    isMusl
      ? ['libc.so', `libc.musl-${arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]
      : [...glibc, arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2'],
  darwin: () => ['/usr/lib/libSystem.B.dylib', '/usr/lib/libc++.1.dylib'],
};
const words = ['home', 'root', 'Users', 'work', 'tmp', 'builds', '__w', 'runner', 'opt'];
const machinePath = new RegExp(`/(${words.join('|')})/[\\w.-]+(/[\\w.-]+)+`, 'g');

/** What the binary's own tables say. @throws Error for a file of no known format */
export function readBinary(bytes) {
  const magic = bytes.length >= 64 ? bytes.readUInt32BE(0) : 0;
  if (magic === 0x7f454c46) return readElf(bytes);
  if (magic === 0xcffaedfe) return readMacho(bytes);
  if (magic >>> 16 === 0x4d5a) return readPe(bytes);
  throw new Error('neither ELF nor Mach-O nor PE');
}

/** A sentence for everything that is wrong with these bytes as the binary of that target. */
export function problemsOf(target, bytes) {
  const binary = readBinary(bytes);
  const problems = [];
  const expect = (isGood, text) => isGood || problems.push(text);
  const format = { linux: 'ELF', darwin: 'Mach-O', win32: 'PE' }[target.platform];
  if (binary.format !== format) return [`the format is ${binary.format}, not ${format}`];
  expect(binary.machine === target.arch, `the machine is ${binary.machine}, not ${target.arch}`);

  const others = binary.exported.filter((name) => !entryPoints.includes(name));
  expect(others.length === 0, `exports ${others.length} symbols more than two: ${others.slice(0, 5)}`);
  const missing = entryPoints.filter((name) => !binary.exported.includes(name));
  expect(missing.length === 0, `does not export ${missing}`);

  const allowed = libraries[target.platform]?.(target);
  const foreign = binary.needed.filter((name) => (allowed ? !allowed.includes(name) : !windows.test(name)));
  expect(foreign.length === 0, `needs ${foreign}`);
  // cmake-js links node.exe so with Microsoft's linker, and its hook finds the program whatever that is called.
  const foreignLater = (binary.delayed ?? []).filter((name) => name !== 'node.exe' && !windows.test(name));
  expect(foreignLater.length === 0, `needs, later on, ${foreignLater}`);
  expect(binary.needed.length > 0, 'needs no C library');
  expect((binary.runPaths ?? []).length === 0, `searches ${binary.runPaths}`);

  if (format === 'ELF') {
    expect(binary.staysLoaded, 'may be unloaded (no NODELETE)');
    const late = newestGlibc(binary);
    expect(!isLater(late, oldestGlibc), `needs glibc ${late}, at most ${oldestGlibc}`);
    // GLIBC_PRIVATE is of one release alone; GLIBC_ABI_DT_RELR came with 2.36.
    const odd = binary.versions.filter((name) => name.startsWith('GLIBC_') && !numericGlibc.test(name));
    expect(odd.length === 0, `needs ${odd}, which have no number`);
    expect(
      !target.isMusl || binary.versions.length === 0,
      `has versions of another C library: ${binary.versions}`,
    );
  }
  if (format === 'Mach-O') {
    expect(
      !isLater(binary.oldestMacos, oldestMacos),
      `needs macOS ${binary.oldestMacos}, at most ${oldestMacos}`,
    );
    expect(target.arch !== 'arm64' || binary.isSigned, 'is not signed, which this processor demands');
    try {
      checkSignature(bytes);
    } catch (error) {
      problems.push(error.message);
    }
    expect(binary.shared.length === 0, `shares with other libraries ${binary.shared.slice(0, 5)}`);
    const unknown = binary.fromProcess.filter((name) => !/^(napi|node_api)_/.test(name));
    expect(unknown.length === 0, `expects of the process ${unknown}`);
  }
  const paths = pathsIn(bytes);
  expect(paths.length === 0, `holds paths of the machine that built it: ${paths.slice(0, 5)}`);
  return problems;
}

/** The newest version of glibc that an ELF binary asks for, "0" without any. */
export function newestGlibc(binary) {
  const versions = binary.versions.filter((name) => numericGlibc.test(name)).map((name) => name.slice(6));
  return versions.reduce((newest, each) => (isLater(each, newest) ? each : newest), '0');
}

function isLater(a, b) {
  return a.localeCompare(b, 'en', { numeric: true }) > 0;
}

function pathsIn(bytes) {
  const text = bytes.toString('latin1');
  const own = [root, homedir()].filter((path) => path.length > 1 && text.includes(`${path}/`));
  return [...new Set([...own, ...(text.match(machinePath) ?? [])])];
}
