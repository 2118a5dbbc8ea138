// The flags of `neox bench`: llama-bench's letters, lists and ranges.

import type { DeviceName, FileType, KvCacheType, Precision } from '../../index.js';
import type { OptionSpec } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { loadFlags } from '../model-options.js';
import { fileType } from '../type-options.js';
import { integer } from '../values.js';

export const FORMATS = ['md', 'csv', 'json', 'jsonl', 'sql'] as const;

/** Each list flag may be given several times. */
export interface BenchOptions {
  model?: string[];
  type?: FileType[][];
  precision?: Precision[][];
  kvCacheType?: KvCacheType[][];
  threads?: number[][];
  device?: DeviceName;
  gpuLayers?: number;
  deterministic?: boolean;
  cache?: boolean;
  cacheFolder?: string;
  nPrompt?: number[][];
  nGen?: number[][];
  promptGen?: [number, number][];
  nDepth?: number[][];
  sequences?: number[][];
  text?: string | true;
  repetitions?: number;
  maxRepetitions?: number;
  profile?: boolean;
  noWarmup?: boolean;
  noCeilings?: boolean;
  output?: (typeof FORMATS)[number];
  json?: boolean;
  report?: string;
}

const MOST_VALUES = 10_000;

/** `128,512`, `1-4`, `1-8+2`, `1-8*2`, as llama-bench reads them. */
export function ranges(min: number, max = 1 << 20): (text: string) => number[] {
  const one = (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(
      `Expected integers from ${min} to ${max}: one, a list such as 128,512, or a range such as 1-4 or 1-8*2.`,
    );
  };
  return (text) =>
    text.split(',').flatMap((part) => {
      const match = /^(\d+)-(\d+)(?:([+*])(\d+))?$/.exec(part.trim());
      if (match === null) return one(part.trim());
      const [, first = '', last = '', operator = '+', step = '1'] = match;
      const values: number[] = [];
      for (let value = one(first); value <= one(last); ) {
        values.push(value);
        const next = operator === '*' ? value * Number(step) : value + Number(step);
        if (next <= value || values.length > MOST_VALUES) {
          throw new UsageError(
            'Expected a range that rises: first-last, first-last+step or first-last*factor.',
          );
        }
        value = next;
      }
      if (values.length === 0)
        throw new UsageError('Expected a range whose end is not before its beginning.');
      return values;
    });
}

/** `512,128`: a prompt and what is generated after it. */
export function pair(text: string): [number, number] {
  const [prompt, gen, ...rest] = text.split(',').map((part) => integer(1, 1 << 20)(part.trim()));
  if (prompt === undefined || gen === undefined || rest.length > 0) {
    throw new UsageError('Expected a prompt and a generation, such as 512,128.');
  }
  return [prompt, gen];
}

function listOf<T>(one: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map((part) => one(part.trim()));
}

function choice<T extends string>(...names: readonly T[]): (text: string) => T {
  return (text) => {
    const found = names.find((name) => name === text);
    if (found === undefined) throw new UsageError(`Expected ${names.join(', ')}.`);
    return found;
  };
}

const own = ['--model', '--threads', '--context-length', '--type', '--precision', '--kv-cache-type'];

export const benchFlags: readonly OptionSpec[] = [
  {
    flags: '-m, --model <path>',
    help: 'a .gguf file, a Hugging Face directory or a pulled name; may be repeated',
    repeats: true,
    defaultText: 'the demo model',
  },
  {
    flags: '-p, --n-prompt <list>',
    help: 'lengths of prompts; 0: none',
    parse: ranges(0),
    repeats: true,
    defaultText: '512',
  },
  {
    flags: '-n, --n-gen <list>',
    help: 'tokens to generate; 0: none',
    parse: ranges(0),
    repeats: true,
    defaultText: '128',
  },
  {
    flags: '-pg, --prompt-gen <p,n>',
    help: 'a prompt and a generation timed together; may be repeated',
    parse: pair,
    repeats: true,
    defaultText: 'none',
  },
  {
    flags: '-d, --n-depth <list>',
    help: 'tokens before the measured ones',
    parse: ranges(0),
    repeats: true,
    defaultText: '0',
  },
  {
    flags: '-npl, --sequences <list>',
    help: 'sequences that generate at once: the cost of a step of several rows',
    parse: ranges(1, 256),
    repeats: true,
    defaultText: '1',
  },
  {
    flags: '--text [file]',
    help: 'also answer a real prompt, the built-in one or a file: first token, pauses, characters per second',
  },
  {
    flags: '-t, --threads <list>',
    help: 'threads',
    parse: ranges(1, 256),
    repeats: true,
    defaultText: 'the physical cores',
  },
  {
    flags: '--type <list>',
    help: 'quantize while loading: Q8_0, Q4_K_M, ...',
    parse: listOf(fileType),
    repeats: true,
    defaultText: 'as stored',
  },
  {
    flags: '--precision <list>',
    help: 'arithmetic: exact, high, fast',
    parse: listOf(choice('exact', 'high', 'fast')),
    repeats: true,
    defaultText: "by the weights' type",
  },
  {
    flags: '--kv-cache-type <list>',
    help: 'types of the KV cache: f32, f16, q8_0',
    parse: listOf(choice('f32', 'f16', 'q8_0')),
    repeats: true,
    defaultText: 'f16, f32 with precision exact',
  },
  ...loadFlags.filter(({ flags }) => !own.some((name) => flags.includes(name))),
  {
    flags: '-r, --repetitions <n>',
    help: 'least runs of each test',
    parse: integer(1, 10_000),
    defaultText: '5',
  },
  {
    flags: '--max-repetitions <n>',
    help: 'most runs of a test whose results scatter, or beside a busy machine',
    parse: integer(1, 10_000),
    defaultText: 'twice -r',
  },
  { flags: '--profile', help: 'where the time of a pass goes, by operation: one more run of each test' },
  { flags: '--no-warmup', help: 'no unmeasured first run' },
  { flags: '--no-ceilings', help: 'do not measure what the machine can do' },
  { flags: '-o, --output <format>', help: 'form of the results', choices: FORMATS, defaultText: 'md' },
  { flags: '--json', help: 'the same as -o json' },
  {
    flags: '--report <file>',
    help: 'write the results with plots as well: one HTML file that loads nothing',
  },
];
