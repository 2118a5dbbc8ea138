// `neox bench`: speed of prompts (pp) and of generation (tg), as llama-bench names them, beside what the machine can do.

import { type Ceilings, Model, type ModelInspection, measureCeilings } from '../index.js';
import { type BenchTest, listTests, measure, positionsNeeded, testName } from './bench-measure.js';
import { type BenchRecord, FORMATS, formatRecords, makeRecord } from './bench-report.js';
import type { CommandSpec } from './command.js';
import { UsageError } from './exit-codes.js';
import type { Io } from './io.js';
import { type LoadFlags, loadFlags, loadModel, modelPath } from './model-options.js';
import { integer, integers, rate } from './values.js';

interface Options extends Omit<LoadFlags, 'threads' | 'contextLength'> {
  threads?: number[];
  nPrompt?: number[];
  nGen?: number[];
  depth?: number[];
  sequences?: number[];
  repetitions?: number;
  noWarmup?: boolean;
  noCeilings?: boolean;
  output?: keyof typeof FORMATS;
  json?: boolean;
}

const own = ['--threads', '--context-length'];

export const bench: CommandSpec<Options> = {
  name: 'bench',
  summary: 'measure the speed of prompts and of generation',
  options: [
    ...loadFlags.filter(({ flags }) => !own.some((name) => flags.includes(name))),
    { flags: '-t, --threads <list>', help: 'threads', parse: integers(1), defaultText: 'the physical cores' },
    {
      flags: '-p, --n-prompt <list>',
      help: 'lengths of prompts; 0: none',
      parse: integers(0),
      defaultText: '512',
    },
    {
      flags: '-n, --n-gen <list>',
      help: 'tokens to generate; 0: none',
      parse: integers(0),
      defaultText: '128',
    },
    {
      flags: '-d, --depth <list>',
      help: 'tokens before the measured ones',
      parse: integers(0),
      defaultText: '0',
    },
    {
      flags: '-b, --sequences <list>',
      help: 'sequences that generate at once: the cost of a step of several rows',
      parse: integers(1),
      defaultText: '1',
    },
    {
      flags: '-r, --repetitions <n>',
      help: 'runs of each test',
      parse: integer(1, 10_000),
      defaultText: '5',
    },
    { flags: '--no-warmup', help: 'no unmeasured first run' },
    { flags: '--no-ceilings', help: 'do not measure what the machine can do' },
    {
      flags: '-o, --output <format>',
      help: 'form of the results',
      choices: Object.keys(FORMATS),
      defaultText: 'md',
    },
    { flags: '--json', help: 'the same as -o json' },
  ],
  examples: [
    { command: 'neox bench -m model.gguf -p 512 -n 128' },
    { command: 'neox bench -m model.gguf -p 0 -n 32 -b 1,2,4,8', note: 'the cost of verifying drafts' },
    { command: 'neox bench -m model.gguf -p 128,512 -n 32 -d 0,1024 -t 1,2 -r 3 -o json' },
  ],

  async run(_args, options, io) {
    const { nPrompt = [512], nGen = [128], depth = [0], sequences = [1] } = options;
    const tests = listTests(nPrompt, nGen, depth, sequences);
    if (tests.length === 0) throw new UsageError('Nothing to measure: -p and -n are both 0.');
    const found = await Model.inspect(
      modelPath(options),
      options.type === undefined ? {} : { type: options.type },
    );
    const records: BenchRecord[] = [];
    for (const threads of options.threads ?? [undefined]) {
      records.push(...(await measureAll(tests, threads, options, found, io)));
    }
    await io.out.write(formatRecords(records, options.json ? 'json' : (options.output ?? 'md')));
    return undefined;
  },
};

async function measureAll(
  tests: readonly BenchTest[],
  threads: number | undefined,
  options: Options,
  found: ModelInspection,
  io: Io,
): Promise<BenchRecord[]> {
  const { repetitions = 5, noWarmup = false, noCeilings = false } = options;
  const given = threads === undefined ? {} : { threads };
  const ceilings: Ceilings | undefined = noCeilings ? undefined : await measureCeilings(given);
  const { threads: _, ...flags } = options;
  const maxSequences = Math.max(...tests.map(({ sequences }) => sequences));
  const contextLength = positionsNeeded(tests);
  const model = await loadModel({ ...flags, ...given, contextLength }, io, { maxSequences });
  try {
    const records: BenchRecord[] = [];
    const singles = new Map<string, number[]>();
    for (const test of tests) {
      const time = new Date();
      const samples = await io.interrupts.during((signal) =>
        measure(model, test, { repetitions, warmup: !noWarmup, signal }),
      );
      const single = testName({ ...test, sequences: 1 });
      if (test.sequences === 1) singles.set(single, samples);
      const record = makeRecord({
        model,
        found,
        path: modelPath(options),
        test,
        time,
        samples,
        single: singles.get(single),
        ceilings,
      });
      await io.err.line(`neox: ${testName(test)}: ${record.samples_ts.map(rate).join(' ')} tokens/s`, 'dim');
      records.push(record);
    }
    return records;
  } finally {
    await model.dispose();
  }
}
