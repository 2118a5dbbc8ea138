// The command line of `npm run bench:peers`.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir, root, StepError } from '../../../scripts/steps.mjs';
import { PEERS } from './peers.mjs';

const DEFAULT_TYPES = ['Q4_0', 'Q8_0', 'Q4_K_M', 'Q5_K_M', 'Q6_K', 'F16', 'BF16'];

export const HELP = `npm run bench:peers -- [options]

Runs this project and the peers that are installed on the same models, one after the other in fresh processes, round by
round, and writes docs/performance.md from all results so far. Results are added to a file: a second call runs only what is
missing. Peers: ${PEERS.map(({ name }) => name).join(', ')}.

  --only <list>       peers to run                                   [all that are found]
  --types <list>      types of weights                               [${DEFAULT_TYPES.join(',')}]
  --rounds <n>        runs of each peer on each type                 [5]
  --shape <shape>     a shape of \`neox synth\`                        [3.6b]
  --layers <n>        its first layers alone                         [all]
  --threads <n>       threads of every engine                        [physical cores]
  --prompt <n>        tokens of the prompt                           [512]
  --gen <n>           tokens generated                               [64]
  --depth <n>         tokens in the cache before the second generation; 0 leaves it out   [1536]
  --with <peer=path>  where a peer is: a Python for llama-cpp-python, transformers and ctranslate2, a folder with
                      node_modules for node-llama-cpp, a build folder with bin/llama-bench for llama.cpp and
                      ik_llama.cpp; may be given several times
  --models <folder>   where the models are made and kept             [.cache/peers]
  --results <file>    what was measured                              [<models>/results.jsonl]
  --page <file>       what is written                                [docs/performance.md]
  --page-only         measure nothing, write the page from the results
  --plan              say what would run and how long it takes
  --help
`;

/** @throws StepError */
export function readOptions(args) {
  const { values } = parse(args);
  const layers = values.layers === undefined ? null : count('--layers', values.layers, 1);
  const models = values.models ?? join(cacheDir, 'peers');
  const paths = new Map((values.with ?? []).map(readPath));
  const known = PEERS.map(({ name }) => name);
  const only = values.only?.split(',') ?? known;
  for (const name of [...only, ...paths.keys()]) {
    if (!known.includes(name))
      throw new StepError(`There is no peer '${name}'; known are ${known.join(', ')}.`);
  }
  return {
    help: values.help ?? false,
    plan: values.plan ?? false,
    pageOnly: values['page-only'] ?? false,
    only,
    paths,
    types: values.types?.split(',') ?? DEFAULT_TYPES,
    rounds: count('--rounds', values.rounds ?? '5', 1),
    shape: values.shape ?? '3.6b',
    layers,
    threads: values.threads === undefined ? null : count('--threads', values.threads, 1),
    prompt: count('--prompt', values.prompt ?? '512', 1),
    gen: count('--gen', values.gen ?? '64', 1),
    depth: count('--depth', values.depth ?? '1536', 0),
    models,
    results: values.results ?? join(models, 'results.jsonl'),
    page: values.page ?? join(root, 'docs', 'performance.md'),
  };
}

function parse(args) {
  const text = { type: 'string' };
  const names = ['only', 'types', 'rounds', 'shape', 'layers', 'threads', 'prompt', 'gen', 'depth', 'models'];
  try {
    return parseArgs({
      args,
      options: {
        ...Object.fromEntries([...names, 'results', 'page'].map((name) => [name, text])),
        with: { type: 'string', multiple: true },
        'page-only': { type: 'boolean' },
        plan: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new StepError(`${error.message}\nnpm run bench:peers -- --help lists the options.`);
  }
}

function readPath(text) {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (path === undefined) throw new StepError(`--with takes <peer>=<path>, not '${text}'.`);
  return [name, path];
}

function count(flag, text, least) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new StepError(`${flag} takes a whole number of at least ${least}, not '${text}'.`);
}
