// Obtains the pinned source of sentencepiece: from NEOX_SENTENCEPIECE (a file, for work offline), from a cache, or from
// one of two public places. Whatever its origin, a file is unpacked only after its SHA-256 has been found in the table.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { cacheDir, findPython, root, runLogged, StepError } from './steps.mjs';

export const version = '0.2.1';

// `tree` is the folder inside the archive that holds sentencepiece's CMakeLists.txt.
const sources = [
  {
    // The source distribution, a file that never changes in its index, and the smaller of the two.
    name: 'source distribution',
    sha256: '8138cec27c2f2282f4a34d9a016e3374cd40e5c6e9cb335063db66a0a3b71fad',
    tree: `sentencepiece-${version}/sentencepiece`,
    arguments: ['pip', 'sentencepiece', `sentencepiece-${version}.tar.gz`],
  },
  {
    // The release archive of tag v0.2.1; its sum is the one that Homebrew's and xmake's recipes pin too.
    name: 'release archive',
    sha256: 'c1a59e9259c9653ad0ade653dadff074cd31f0a6ff2a11316f67bee4189a8f1b',
    tree: `sentencepiece-${version}`,
    arguments: ['url', `https://github.com/google/sentencepiece/archive/refs/tags/v${version}.tar.gz`],
  },
];

/**
 * Path of the unpacked source tree, after downloading and verifying it where needed.
 * @throws StepError saying what each source answered.
 */
export function obtainSentencepiece() {
  const given = process.env.NEOX_SENTENCEPIECE;
  if (given) return unpack(given, sourceOfFile(given));
  const unpacked = sources.find((source) => existsSync(unpackedDir(source)));
  if (unpacked) return join(unpackedDir(unpacked), unpacked.tree);
  for (const source of sources) {
    const cached = cachedFiles(source).find((path) => existsSync(path) && sha256(path) === source.sha256);
    if (cached) return unpack(cached, source);
  }
  const reasons = [];
  for (const source of sources) {
    try {
      return unpack(download(source), source);
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      reasons.push(`${source.name}: ${error.message}`);
    }
  }
  throw new StepError(
    `The source of sentencepiece ${version} could not be obtained.\n${reasons.join('\n')}\n` +
      'Offline, set NEOX_SENTENCEPIECE to the path of either file.',
  );
}

function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function sourceOfFile(path) {
  if (!existsSync(path)) throw new StepError(`NEOX_SENTENCEPIECE names "${path}", which does not exist.`);
  const sum = sha256(path);
  const source = sources.find((candidate) => candidate.sha256 === sum);
  if (!source) {
    const known = sources.map((each) => `${each.sha256} (${each.name})`).join(' or ');
    throw new StepError(`NEOX_SENTENCEPIECE names "${path}" with SHA-256 ${sum}, expected ${known}.`);
  }
  return source;
}

// The checkout's own cache first, then the user's, which serves other checkouts on the same machine.
function cachedFiles(source) {
  const base =
    process.platform === 'win32'
      ? (process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : process.platform === 'darwin'
        ? join(homedir(), 'Library', 'Caches')
        : process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return [join(cacheDir, 'downloads'), join(base, 'neox')].map((folder) =>
    join(folder, `sentencepiece-${source.sha256}.tar.gz`),
  );
}

function download(source) {
  const python = findPython();
  if (!python) throw new StepError('Python 3 is needed for the download.');
  const [own, shared] = cachedFiles(source);
  mkdirSync(dirname(own), { recursive: true });
  const part = `${own}.${process.pid}.part`;
  try {
    const script = join(root, 'scripts', 'download.py');
    const done = spawnSync(python, [script, ...source.arguments, part], { encoding: 'utf8' });
    if (done.status !== 0) throw new StepError(done.stderr?.trim() || `${python}: ${done.error?.message}`);
    const sum = sha256(part);
    if (sum !== source.sha256) {
      throw new StepError(`the file has SHA-256 ${sum}, expected ${source.sha256}; it was not used`);
    }
    renameSync(part, own);
  } finally {
    rmSync(part, { force: true });
  }
  try {
    mkdirSync(dirname(shared), { recursive: true });
    copyFileSync(own, shared);
  } catch {
    // A home that cannot be written only costs the next checkout a download.
  }
  return own;
}

function unpackedDir(source) {
  return join(cacheDir, `sentencepiece-${source.sha256.slice(0, 12)}`);
}

// `path` has been verified. The folder gets its final name last, so that its existence means that it is whole.
function unpack(path, source) {
  const folder = unpackedDir(source);
  if (!existsSync(folder)) {
    const part = `${folder}.${process.pid}.part`;
    mkdirSync(part, { recursive: true });
    runLogged('unpack', 'cmake', ['-E', 'tar', 'xzf', resolve(path)], { cwd: part });
    renameSync(part, folder);
  }
  return join(folder, source.tree);
}
