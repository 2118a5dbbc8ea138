// Compiles the addon for one platform: what scripts/node-gyp-shim.cjs does for prebuildify.

import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildNative } from '../build.mjs';
import { cacheDir, root, StepError } from '../steps.mjs';
import { closeMacho } from './close_macho.mjs';
import { entryPoints } from './problems.mjs';
import { oldestMacos, targetByName, targets } from './targets.mjs';
import { obtainZig } from './zig.mjs';

const require = createRequire(import.meta.url);

/**
 * Leaves neox.node for that platform in `out`.
 * @throws StepError
 */
export async function compileTarget(name, out) {
  const target = targetByName(name);
  if (!target) {
    throw new StepError(`"${name}" is none of the platforms ${targets.map((each) => each.name).join(', ')}.`);
  }
  const definitions = usesZig(target) ? await zigOptions(target) : ownOptions(target);
  const folder = buildFolder(target);
  buildNative({ folder, out, definitions, arch: target.arch, log: `prebuild-${name}` });
  if (target.platform === 'darwin' && usesZig(target)) closeMacho(join(out, 'neox.node'), entryPoints);
}

/** Binaries for Linux always come from zig, so that they run with an old C library; macOS and Windows build their own. */
export function usesZig(target) {
  return target.platform === 'linux' || target.platform !== process.platform;
}

/** CMake's folder of a target. */
export function buildFolder(target) {
  return join(cacheDir, 'prebuild', target.name, 'cmake');
}

function ownOptions(target) {
  return target.platform === 'darwin' ? { CMAKE_OSX_DEPLOYMENT_TARGET: oldestMacos } : {};
}

/** CMake's definitions for a build with zig. */
export async function zigOptions(target) {
  const { zig, tools } = await obtainZig();
  return {
    CMAKE_TOOLCHAIN_FILE: join(root, 'cmake', 'zig.cmake'),
    NEOX_ZIG: zig,
    NEOX_ZIG_TOOLS: tools,
    NEOX_ZIG_TARGET: target.zig,
    NEOX_ZIG_SYSTEM: target.system,
    NEOX_ZIG_PROCESSOR: target.processor,
    ...(target.platform === 'win32' ? { NEOX_NODE_API_FUNCTIONS: writeFunctions(target) } : {}),
  };
}

function writeFunctions(target) {
  const { symbols } = require('node-api-headers');
  const version = require(join(root, 'package.json')).binary.napi_versions[0];
  const { js_native_api_symbols: js, node_api_symbols: node } = symbols[`v${version}`];
  const path = join(cacheDir, 'prebuild', target.name, 'node_api_functions.inc');
  mkdirSync(join(cacheDir, 'prebuild', target.name), { recursive: true });
  writeFileSync(path, [...js, ...node].map((name) => `NEOX_FUNCTION(${name})\n`).join(''));
  return path;
}
