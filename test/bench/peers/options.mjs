// The command line of `npm run bench:peers`.

import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheDir, root, UsageError } from '../../../scripts/steps.mjs';
import { count, names, pagePath, parseFlags, readPaths } from './arguments.mjs';
import { neox } from './dist.mjs';
import { PEERS } from './peers.mjs';

const DEFAULT_TYPES = ['Q4_0', 'Q8_0', 'Q4_K_M', 'Q5_K_M', 'Q6_K', 'F16', 'BF16'];

export const HELP = `npm run bench:peers -- [options]

Runs this project and the peers that are installed on the same models, one after the other in fresh processes, round by
round, and writes docs/performance.md. Results are added to a file: a second call runs only what is missing, and a new build
of this project begins anew. Peers: ${PEERS.map(({ name }) => name).join(', ')}.

  --plan              say what would run, how long it takes, and how long less would take; run nothing
  --only <list>       peers to run                                   [all that are found]
  --types <list>      types of weights                               [${DEFAULT_TYPES.join(',')}]
  --rounds <n>        runs of each peer on each type                 [5]
  --shape <shape>     a shape of \`neox synth\`                        [3.6b]
  --layers <n>        its first layers alone                         [all]
  --threads <n>       threads of every engine                        [physical cores]
  --prompt <n>        tokens of the prompt                           [512]
  --gen <n>           tokens generated                               [64]
  --depth <n>         tokens in the cache before the second generation; 0 leaves it out   [1536]
  --limit <seconds>   the most that one run may take                 [2 minutes and ten times its estimate]
  --no-ceilings       do not measure what the machine can do
  --with <peer=path>  where a peer is: a Python for llama-cpp-python, transformers and ctranslate2, a folder with
                      node_modules for node-llama-cpp, a build folder with bin/llama-bench for llama.cpp and
                      ik_llama.cpp; may be given several times
  --peers <file>      other peers than those of peers.mjs: a module that exports PEERS as that does
  --models <folder>   where the models are made and kept             [.cache/peers]
  --results <file>    what was measured                              [<models>/results.jsonl]
  --page <file>       what is written                                [docs/performance.md]
  --page-only         measure nothing, write the page from the results
  --help

How long it takes, with gpt-neox, llama.cpp with and without flash attention, transformers and CTranslate2, on 2 cores:

  npm run bench:peers -- --layers 9                                  7 types, 5 rounds: about 45 minutes
  npm run bench:peers                                                the whole shape: about 2.5 hours
  npm run bench:peers -- --layers 9 --types Q4_0,Q8_0 --rounds 1     about 3 minutes
`;

/** @throws UsageError */
export async function readOptions(args) {
  const values = parseFlags(args, 'npm run bench:peers', {
    text: [
      ...['only', 'types', 'rounds', 'shape', 'layers', 'threads', 'prompt', 'gen', 'depth', 'limit'],
      ...['peers', 'models', 'results', 'page'],
    ],
    lists: ['with'],
    switches: ['no-ceilings', 'page-only', 'plan', 'help'],
  });
  const number = (name, least, otherwise = null, most = undefined) =>
    values[name] === undefined ? otherwise : count(`--${name}`, values[name], least, most);
  const models = values.models ?? join(cacheDir, 'peers');
  const peers = values.peers === undefined ? PEERS : await readPeers(values.peers);
  const known = peers.map(({ name }) => name);
  return {
    help: values.help,
    plan: values.plan,
    pageOnly: values['page-only'],
    ceilings: !values['no-ceilings'],
    peers,
    only: values.only === undefined ? known : names('--only', values.only, known),
    paths: readPaths(values.with, known),
    types: values.types === undefined ? DEFAULT_TYPES : names('--types', values.types, neox.FILE_TYPES),
    rounds: number('rounds', 1, 5),
    shape: values.shape === undefined ? '3.6b' : oneShape(values.shape),
    layers: number('layers', 1, null, 1000),
    threads: number('threads', 1, neox.systemInfo().threads, 256),
    prompt: number('prompt', 1, 512),
    gen: number('gen', 1, 64),
    depth: number('depth', 0, 1536),
    limit: number('limit', 1),
    models,
    results: values.results ?? join(models, 'results.jsonl'),
    page: pagePath(values.page ?? join(root, 'docs', 'performance.md')),
  };
}

function oneShape(text) {
  if (neox.SYNTH_SHAPES.includes(text)) return text;
  throw new UsageError(`--shape takes one of ${neox.SYNTH_SHAPES.join(', ')}, not '${text}'.`);
}

async function readPeers(path) {
  try {
    const { PEERS: found } = await import(pathToFileURL(resolve(path)).href);
    if (Array.isArray(found) && found.length > 0) return found;
  } catch (error) {
    throw new UsageError(`--peers: ${path} cannot be read: ${error.message}`);
  }
  throw new UsageError(`--peers: ${path} exports no PEERS.`);
}
