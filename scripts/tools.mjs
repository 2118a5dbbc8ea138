// The tools that a build needs beside Node. A missing one is named in a sentence with the command that installs it; on
// Debian as root that command is run, after a question when somebody is there to answer it.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { findPython, firstLine, runLogged, StepError, step } from './steps.mjs';

const minimumCmake = [3, 20];
const minimumCuda = [12, 8]; // the first that knows every GPU that is shipped for

const tools = [
  {
    name: 'git',
    problem: () => (firstLine('git') ? null : 'git is needed.'),
    install: {
      debian: 'git',
      fedora: 'git',
      darwin: 'xcode-select --install',
      win32: 'winget install Git.Git',
    },
  },
  {
    name: 'a C++20 compiler',
    problem: compilerProblem,
    install: {
      debian: 'g++',
      fedora: 'gcc-c++',
      darwin: 'xcode-select --install',
      win32:
        'winget install Microsoft.VisualStudio.2022.BuildTools --override "--add Microsoft.VisualStudio.Workload.VCTools"',
    },
  },
  {
    name: 'CMake',
    problem: cmakeProblem,
    install: {
      debian: 'cmake',
      fedora: 'cmake',
      darwin: 'brew install cmake',
      win32: 'winget install Kitware.CMake',
    },
  },
  {
    name: 'Ninja or make',
    problem: () =>
      process.platform === 'win32' || firstLine('ninja') || firstLine('make')
        ? null
        : 'Ninja or make is needed.',
    install: {
      debian: 'ninja-build',
      fedora: 'ninja-build',
      darwin: 'brew install ninja',
    },
  },
  {
    name: 'Python 3',
    problem: () => (findPython() ? null : 'Python 3 is needed.'),
    install: {
      debian: 'python3',
      fedora: 'python3',
      darwin: 'brew install python3',
      win32: 'winget install Python.Python.3.12',
    },
  },
];

// For scripts/fuzz.mjs alone.
const libFuzzer = {
  name: 'clang with libFuzzer',
  problem: () =>
    trialProblem('clang++', ['-fsanitize=fuzzer,address'], fuzzTrial, 'clang with libFuzzer is needed.'),
  install: {
    debian: ['clang', 'libclang-rt-dev'],
    fedora: 'clang compiler-rt',
    darwin: 'brew install llvm',
    win32: 'winget install LLVM.LLVM',
  },
};

/** @throws StepError naming each tool that is still missing and the command that installs it. */
export async function ensureTools(needed = tools) {
  let missing = findMissing(needed);
  if (missing.length === 0) return;
  if (canInstall() && (await mayInstall(missing))) {
    const packages = missing.flatMap((tool) => tool.install.debian);
    await step(`installing ${packages.join(', ')}`, () => aptInstall(packages));
    missing = findMissing(needed);
  }
  if (missing.length > 0) throw new StepError(missing.map(sentence).join('\n'));
}

/** For `neox build`, which installs nothing: a sentence for each tool that is missing. */
export function missingForSource() {
  const needless = ['git', process.env.NEOX_SENTENCEPIECE ? 'Python 3' : ''];
  return findMissing(tools.filter(({ name }) => !needless.includes(name))).map(sentence);
}

/** For `neox build --cuda`: a sentence for each tool that is missing, and the nvcc that is there. */
export function toolsForCuda() {
  const needless = ['git', 'Python 3'];
  const missing = findMissing(tools.filter(({ name }) => !needless.includes(name))).map(sentence);
  const problem = nvccProblem();
  if (problem !== null)
    missing.push(
      `${problem} Install it: see https://developer.nvidia.com/cuda-downloads, or name it in CUDACXX.`,
    );
  return { missing, nvcc: findNvcc() ?? undefined };
}

/** The nvcc that a build takes: CUDACXX, else one on the PATH, else the one of a toolkit in its usual place. */
export function findNvcc() {
  const { CUDACXX, CUDA_PATH, CUDA_HOME } = process.env;
  if (CUDACXX) return firstLine(CUDACXX) === null ? null : CUDACXX;
  const folders = [CUDA_PATH, CUDA_HOME, '/usr/local/cuda'].filter(Boolean);
  const paths = ['nvcc', ...folders.map((folder) => join(folder, 'bin', 'nvcc'))];
  return paths.find((path) => firstLine(path) !== null) ?? null;
}

/** The tools that the fuzz targets need for `engine`, "driver" or "libfuzzer". */
export async function ensureFuzzTools(engine) {
  await ensureTools(engine === 'libfuzzer' ? [...tools, libFuzzer] : tools);
}

/** Null where the compiler in use links programs with AddressSanitizer, else a sentence. */
export function sanitizerProblem() {
  if (process.platform !== 'linux') return 'the fuzz targets were tried on Linux only';
  const trial = 'int main() { return 0; }\n';
  return trialProblem(
    compilerName() ?? 'c++',
    ['-fsanitize=address,undefined'],
    trial,
    'the compiler has no AddressSanitizer',
  );
}

/** Whether Debian packages can be installed without asking anybody for a password. */
export function canInstall() {
  return existsSync('/etc/debian_version') && firstLine('apt-get') !== null && process.getuid?.() === 0;
}

/** Nobody is there to be asked: a CI run, or no terminal. */
export function isUnattended() {
  return process.env.CI === 'true' || !process.stdin.isTTY || !process.stderr.isTTY;
}

export function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  runLogged('apt', 'apt-get', ['update'], { env });
  runLogged('apt', 'apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
    env,
    append: true,
  });
}

function findMissing(needed) {
  return needed.map((tool) => ({ ...tool, message: tool.problem() })).filter((tool) => tool.message !== null);
}

async function mayInstall(missing) {
  if (isUnattended()) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${missing.map(sentence).join('\n')}\nRun that now? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function sentence(tool) {
  return `${tool.message} Install it: ${installCommand(tool.install)}`;
}

function installCommand(install) {
  if (process.platform === 'darwin' || process.platform === 'win32') return install[process.platform];
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  if (existsSync('/etc/debian_version'))
    return `${sudo}apt-get install -y ${[install.debian].flat().join(' ')}`;
  if (existsSync('/etc/fedora-release') || existsSync('/etc/redhat-release')) {
    return `${sudo}dnf install -y ${install.fedora}`;
  }
  return `with your system's package manager (on Debian: apt-get install ${[install.debian].flat().join(' ')}).`;
}

function compilerProblem() {
  if (process.platform === 'win32') return null; // CMake finds Visual Studio by itself, and says so where there is none.
  const found = compilerName();
  if (!found) return 'A C++20 compiler is needed.';
  const trial =
    '#include <bit>\n#include <concepts>\n#include <span>\nint main() { return std::popcount(0u); }\n';
  const done = spawnSync(found, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], { input: trial });
  return done.status === 0 ? null : `A C++20 compiler is needed (${firstLine(found)} is too old).`;
}

function compilerName() {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  return names.find((name) => firstLine(name));
}

const fuzzTrial = `#include <cstddef>
#include <cstdint>
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }
`;

// Compiles and links `source`; the sentence where that fails.
function trialProblem(compiler, flags, source, sentence) {
  const output = process.platform === 'win32' ? 'NUL' : '/dev/null';
  const done = spawnSync(compiler, [...flags, '-x', 'c++', '-', '-o', output], { input: source });
  return done.status === 0 ? null : sentence;
}

function nvccProblem() {
  const wanted = `nvcc of the CUDA toolkit ${minimumCuda.join('.')} or later is needed`;
  const nvcc = findNvcc();
  if (nvcc === null) return `${wanted}.`;
  const [major = 0, minor = 0] = (cudaVersion(nvcc) ?? '').split('.').map(Number);
  if (major > minimumCuda[0] || (major === minimumCuda[0] && minor >= minimumCuda[1])) return null;
  return `${wanted} (${nvcc} is ${major}.${minor}).`;
}

function cudaVersion(nvcc) {
  const { stdout } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' });
  return /release (\d+\.\d+)/.exec(stdout ?? '')?.[1];
}

function cmakeProblem() {
  const version = firstLine('cmake')?.match(/(\d+)\.(\d+)/);
  if (!version) return 'CMake is needed.';
  const [major, minor] = version.slice(1).map(Number);
  if (major > minimumCmake[0] || (major === minimumCmake[0] && minor >= minimumCmake[1])) return null;
  return `CMake ${minimumCmake.join('.')} or newer is needed (found ${major}.${minor}).`;
}
