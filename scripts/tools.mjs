// The tools that a build needs beside Node. A missing one is named in a sentence with the command that installs it; on
// Debian as root that command is run, after a question when somebody is there to answer it.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { findPython, firstLine, runLogged, StepError, step } from './steps.mjs';

const minimumCmake = [3, 20];

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

/** @throws StepError naming each tool that is still missing and the command that installs it. */
export async function ensureTools() {
  let missing = findMissing();
  if (missing.length === 0) return;
  if (canInstall() && (await mayInstall(missing))) {
    const packages = missing.map((tool) => tool.install.debian);
    await step(`installing ${packages.join(', ')}`, () => aptInstall(packages));
    missing = findMissing();
  }
  if (missing.length > 0) throw new StepError(missing.map(sentence).join('\n'));
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

function findMissing() {
  return tools.map((tool) => ({ ...tool, message: tool.problem() })).filter((tool) => tool.message !== null);
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
  if (existsSync('/etc/debian_version')) return `${sudo}apt-get install -y ${install.debian}`;
  if (existsSync('/etc/fedora-release') || existsSync('/etc/redhat-release')) {
    return `${sudo}dnf install -y ${install.fedora}`;
  }
  return `with your system's package manager (on Debian: apt-get install ${install.debian}).`;
}

function compilerProblem() {
  if (process.platform === 'win32') return null; // CMake finds Visual Studio by itself, and says so where there is none.
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  const found = names.find((name) => firstLine(name));
  if (!found) return 'A C++20 compiler is needed.';
  const trial =
    '#include <bit>\n#include <concepts>\n#include <span>\nint main() { return std::popcount(0u); }\n';
  const done = spawnSync(found, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], { input: trial });
  return done.status === 0 ? null : `A C++20 compiler is needed (${firstLine(found)} is too old).`;
}

function cmakeProblem() {
  const version = firstLine('cmake')?.match(/(\d+)\.(\d+)/);
  if (!version) return 'CMake is needed.';
  const [major, minor] = version.slice(1).map(Number);
  if (major > minimumCmake[0] || (major === minimumCmake[0] && minor >= minimumCmake[1])) return null;
  return `CMake ${minimumCmake.join('.')} or newer is needed (found ${major}.${minor}).`;
}
