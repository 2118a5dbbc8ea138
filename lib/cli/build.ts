// `neox build`: the native addon from source, for machines that no prebuilt binary fits.

import { existsSync } from 'node:fs';
import type { CommandSpec } from './command.js';
import { buildCuda, cudaArch } from './cuda-build.js';
import { CliError, EXIT, UsageError } from './exit-codes.js';
import { withProgress } from './progress.js';
import {
  addonFile,
  compile,
  copySource,
  fetchTools,
  missingTools,
  place,
  prebuildsFolder,
  removeSource,
  sourceFolder,
  toolVersions,
} from './source-build.js';

interface Options {
  dryRun?: boolean;
  keep?: boolean;
  cuda?: boolean;
  cudaArch?: string[];
}

export const build: CommandSpec<Options> = {
  name: 'build',
  summary: 'compile the native addon from source, where no prebuilt binary fits',
  options: [
    { flags: '--dry-run', help: 'say what would be done and whether the tools are there, and end' },
    { flags: '--keep', help: 'keep sources, tools and objects, so that the next build takes seconds' },
    { flags: '--cuda', help: 'instead: the library that runs models on NVIDIA GPUs, with nvcc' },
    {
      flags: '--cuda-arch <list>',
      help: 'with --cuda: for these compute capabilities alone: 90a, or 80,86,89',
      defaultText: 'all that are shipped',
      parse: cudaArch,
    },
  ],
  examples: [
    { command: 'npx gpt-neox build' },
    { command: 'npx gpt-neox build --cuda --cuda-arch 90a', note: 'the CUDA library, for one kind of GPU' },
    { command: 'npx gpt-neox build --dry-run', note: 'what it needs, and what is missing' },
    {
      command: 'NEOX_SENTENCEPIECE=sentencepiece-0.2.1.tar.gz npx gpt-neox build',
      note: 'with a file at hand instead of the download; npm still fetches its tools',
    },
  ],
  notes: `It needs a C++20 compiler, CMake 3.20, Ninja or make, Python 3 (for the download) and about 300 MB of disk while it works; it
says which of them are missing and how to install them, and installs none. Everything happens in a folder of its own
inside the package; nothing of your project changes. The result goes to build/Release/neox.node of the package, where
it is found before any prebuilt binary; installing gpt-neox anew removes it.

--cuda needs nvcc of the CUDA toolkit 12.8 or later beside the compiler and CMake, and no network; a GPU is not needed. Its
result goes to build/Release as well. Sources and objects are kept where a build fails, and with --keep.`,

  async run(_args, options, io) {
    if (options.cuda) return buildCuda(options, io);
    if (options.cudaArch !== undefined) throw new UsageError('--cuda-arch needs --cuda.');
    const say = (text: string): Promise<void> => io.err.line(`neox: ${text}`);
    const { version, tools } = toolVersions();
    await say(`building the native addon of gpt-neox ${version} for ${process.platform}-${process.arch}:`);
    await say(`  1. npm fetches ${tools.join(', ')} into ${sourceFolder}`);
    await say('  2. the source of sentencepiece 0.2.1 is fetched (3 MB) and checked against its SHA-256');
    await say('  3. CMake compiles both: some minutes, 4 on two cores');
    await say(`  4. a fresh process tries the result, which then goes to ${addonFile}`);
    const { missing } = await missingTools('addon');
    if (missing.length > 0)
      throw new CliError(EXIT.machine, `This machine cannot build it: ${missing.join(' ')}`);
    if (options.dryRun) {
      await say('every tool is there; nothing was done (--dry-run)');
      return EXIT.ok;
    }
    return io.interrupts.during(async (signal) => {
      await copySource();
      await say('fetching the tools');
      await fetchTools(tools, signal);
      await say('compiling');
      const work = (onProgress: Parameters<typeof compile>[0]) => compile(onProgress, signal);
      const { file, failure } = await withProgress(io, 'compiling', work, 'steps');
      if (failure !== undefined) {
        for (const line of failure.split('\n')) await io.err.line(line);
        throw new CliError(EXIT.failed, `The build failed; its traces are in ${sourceFolder}`);
      }
      await say('trying the result');
      await say(await place(file, signal));
      if (!options.keep) await removeSource();
      const back = existsSync(prebuildsFolder) ? '; delete it to have a prebuilt one again' : '';
      await say(`${addonFile} is in use from now on${back}`);
      return EXIT.ok;
    });
  },
};
