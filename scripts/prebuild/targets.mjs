// The platforms that the package carries a binary for. The file names are those that node-gyp-build and @electron/rebuild
// look for: armv8 on every 64-bit ARM, musl beside glibc in one folder.

/** Node's own releases need this glibc, or a later one. */
export const oldestGlibc = '2.28';
/** Node's own releases need this macOS, or a later one. */
export const oldestMacos = '11.0';

const linuxGnu = `linux-gnu.${oldestGlibc}`;

// `zig` is the target triple, `system` and `processor` are CMake's words.
export const targets = [
  { name: 'linux-x64', zig: `x86_64-${linuxGnu}`, system: 'Linux' },
  { name: 'linux-arm64', zig: `aarch64-${linuxGnu}`, system: 'Linux' },
  { name: 'linux-x64-musl', zig: 'x86_64-linux-musl', system: 'Linux' },
  { name: 'linux-arm64-musl', zig: 'aarch64-linux-musl', system: 'Linux' },
  { name: 'win32-x64', zig: 'x86_64-windows-gnu', system: 'Windows' },
  { name: 'darwin-arm64', zig: `aarch64-macos.${oldestMacos}`, system: 'Darwin' },
  { name: 'darwin-x64', zig: `x86_64-macos.${oldestMacos}`, system: 'Darwin' },
].map((target) => {
  const [platform, arch, libc] = target.name.split('-');
  const tags = [arch === 'arm64' ? '.armv8' : '', libc === 'musl' ? '.musl' : ''].join('');
  return {
    ...target,
    platform,
    arch,
    isMusl: libc === 'musl',
    processor: arch === 'arm64' ? 'aarch64' : 'x86_64',
    file: `prebuilds/${platform}-${arch}/node.napi${tags}.node`,
  };
});

/** The target of that name, or undefined. */
export function targetByName(name) {
  return targets.find((target) => target.name === name);
}
