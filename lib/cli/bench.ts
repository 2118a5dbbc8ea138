// `neox bench`: speed of prompts (pp) and of generation (tg), as llama-bench names them, beside what the machine can do.

import { readFile } from 'node:fs/promises';
import { Model, Tokenizer } from '../index.js';
import { type BenchOptions, benchFlags } from './bench/flags.js';
import { csv, json, jsonl, sql } from './bench/formats.js';
import { LLAMA_BENCH_FLAGS } from './bench/llama-bench-flags.js';
import { markdown } from './bench/markdown.js';
import { assertWritable, writePage } from './bench/report/write.js';
import { type Setup, sweep } from './bench/sweep.js';
import { type BenchTest, listTests } from './bench/tests.js';
import type { CommandSpec } from './command.js';
import { UsageError } from './exit-codes.js';
import { Interrupted } from './interrupts.js';
import { modelPath } from './model-options.js';

const WRITERS = { md: markdown, csv, json, jsonl, sql };

export const bench: CommandSpec<BenchOptions> = {
  name: 'bench',
  summary: 'measure the speed of prompts and of generation, or compare two measurements',
  options: benchFlags,
  foreign: LLAMA_BENCH_FLAGS,
  commands: { compare: async () => (await import('./bench/compare.js')).compare },
  examples: [
    { command: 'neox bench -m model.gguf', note: 'a prompt of 512 tokens, and 128 generated ones' },
    { command: 'neox bench -m a.gguf -m b.gguf -p 128-1024*2 -n 32 -t 1,2', note: 'ranges and lists' },
    { command: 'neox bench -m model.gguf -p 0 -n 32 -d 0,512,1536', note: 'deep in a context' },
    { command: 'neox bench -m model.gguf -p 0 -n 32 -npl 1,2,4,8', note: 'the cost of verifying drafts' },
    { command: 'neox bench -m model.gguf --profile', note: 'which operation takes the time' },
    { command: 'neox bench -m model.gguf --text -p 0 -n 0', note: 'what a reader of the answer sees' },
    { command: 'neox bench -m model.gguf -p 128-1024*2 -n 32 -d 0-1024+512 --report speed.html' },
    { command: 'neox bench -m model.gguf -o json > before.json', note: 'then change something, and:' },
    { command: 'neox bench compare before.json after.json --fail-if-slower 3%' },
  ],
  notes: [
    'Lists are 128,512 or ranges: 1-4, 1-8+2 (steps of 2), 1-8*2 (1,2,4,8).',
    'A test runs -r times, and more often (--max-repetitions) while its runs scatter by more than 5 %, other processes',
    'take the cores or the host takes CPU time. What is still in doubt then is marked, with a ? in the table.',
    '"Reached" is bytes read per second while generating and operations of the matrix products of a prompt, beside the',
    'best of what this machine reads and computes at all, measured before and after the tests of a model.',
    "Of llama-bench's flags, -ctk and -ctv are --kv-cache-type; -b, -ub, -fa and the like have nothing to set here.",
  ].join('\n'),

  async run(_args, options, io) {
    const { repetitions = 5, maxRepetitions = 2 * repetitions } = options;
    if (options.json && (options.output ?? 'json') !== 'json') {
      throw new UsageError(`--json and -o ${options.output} are two forms; give one.`);
    }
    if (maxRepetitions < repetitions) throw new UsageError('--max-repetitions is less than --repetitions.');
    if (options.report !== undefined) await assertWritable(options.report);
    const { records, ended } = await sweep(
      await listSetups(options),
      {
        ...options,
        repetitions,
        maxRepetitions,
        warmup: !options.noWarmup,
        ceilings: !options.noCeilings,
        profile: options.profile === true,
      },
      io,
    );
    if (records.length === 0 && ended !== undefined) throw ended;
    if (ended instanceof Interrupted) {
      await io.err.line(`neox: ${ended.message}; what follows is what was measured`);
    }
    await io.out.write(WRITERS[options.json ? 'json' : (options.output ?? 'md')](records));
    if (options.report !== undefined && records.length > 0) {
      const { reportPage } = await import('./bench/report/page.js');
      await writePage(options.report, reportPage(records));
      await io.err.line(`neox: wrote ${options.report}`);
    }
    if (ended !== undefined && !(ended instanceof Interrupted)) throw ended;
    return ended?.exitCode;
  },
};

/** Models outermost, then types, precisions, KV types and threads. All headers are read now: what is wrong is told at once. */
async function listSetups(options: BenchOptions): Promise<Setup[]> {
  const setups: Setup[] = [];
  for (const path of options.model ?? [modelPath({})]) {
    const text = await readText(options, path);
    const tests = [...testsOf(options), ...text];
    if (tests.length === 0) throw new UsageError('Nothing to measure: -p and -n are both 0.');
    for (const type of options.type?.flat() ?? [undefined]) {
      const found = await Model.inspect(path, type === undefined ? {} : { type });
      for (const precision of options.precision?.flat() ?? [undefined]) {
        for (const kvCacheType of options.kvCacheType?.flat() ?? [undefined]) {
          for (const threads of options.threads?.flat() ?? [undefined]) {
            const load = {
              ...(type === undefined ? {} : { type }),
              ...(precision === undefined ? {} : { precision }),
              ...(kvCacheType === undefined ? {} : { kvCacheType }),
              ...(threads === undefined ? {} : { threads }),
            };
            setups.push({ path, load, found, tests });
          }
        }
      }
    }
  }
  return setups;
}

function testsOf({ nPrompt, nGen, promptGen, nDepth, sequences }: BenchOptions): BenchTest[] {
  return listTests({
    prompts: nPrompt?.flat() ?? [512],
    gens: nGen?.flat() ?? [128],
    pairs: promptGen ?? [],
    depths: nDepth?.flat() ?? [0],
    sequences: sequences?.flat() ?? [1],
  });
}

const DEFAULT_TEXT_TOKENS = 128;

const TEXT =
  '富士山は、静岡県と山梨県にまたがる活火山である。標高は3776メートルで、日本でいちばん高い。' +
  '古くから信仰の対象とされ、多くの絵や歌に描かれてきた。夏には、頂上で日の出を見ようと大勢の人が登る。' +
  '山小屋で一夜を明かした人々は、まだ暗いうちに';

async function readText({ text, nGen }: BenchOptions, path: string): Promise<BenchTest[]> {
  if (text === undefined) return [];
  const prompt = text === true ? TEXT : await readFile(text, 'utf8');
  const ids = (await Tokenizer.load(path)).encode(prompt, { addSpecialTokens: false });
  if (ids.length === 0) throw new UsageError('The file of --text is empty.');
  const count = nGen?.flat().find((each) => each > 0) ?? DEFAULT_TEXT_TOKENS;
  return [{ nPrompt: ids.length, nGen: count, depth: 0, sequences: 1, ids }];
}
