// The command line of `npm run bench:accuracy`.

import { join } from 'node:path';
import { cacheDir, root } from '../../../scripts/steps.mjs';
import { ACCURACY_MODELS } from './accuracy_models.mjs';
import { CHUNK } from './accuracy_texts.mjs';
import { count, names, pagePath, parseFlags, readPaths } from './arguments.mjs';
import { neox } from './dist.mjs';
import { OURS } from './peers.mjs';

const TYPES = 'F16,BF16,Q8_0,Q6_K,Q5_K_M,Q5_1,Q5_0,Q4_K_M,IQ4_NL,Q4_1,Q4_0,Q3_K_M,Q2_K'.split(',');
const ENGINES = [OURS, 'llama-cpp-python', 'llama-cpp-python-fa'];
const PRECISIONS = ['exact', 'high', 'fast'];
const PATHS = ['llama-cpp-python'];

export const HELP = `npm run bench:accuracy -- [options]

Compares the logits of every type and precision with those of the F32 file under precision exact, and llama.cpp's on the same
files; prompts in one pass, and id by id. Writes docs/accuracy.md from all results so far; a call runs what is missing. All of
it takes about 10 minutes of one free core; --types F16,BF16 about 2.

  --on <list>         models                                   [${Object.keys(ACCURACY_MODELS).join(',')}]
  --types <list>      types of weights                         [${TYPES.join(',')}]
  --only <list>       engines                                  [${ENGINES.join(',')}]
  --precisions <list> of ours                                  [${PRECISIONS.join(',')}]
  --chunks <n>        texts of ${CHUNK} ids                         [2]
  --threads <n>       threads of every engine                  [physical cores]
  --with <peer=path>  llama-cpp-python=<its Python>            [python3]
  --models <folder>   where the files are made and kept        [.cache/peers/accuracy]
  --results <file>    what was measured                        [<models>/accuracy.jsonl]
  --page <file>       what is written                          [docs/accuracy.md]
  --page-only         compare nothing, write the page from the results
  --help
`;

/** @throws UsageError */
export function readOptions(args) {
  const values = parseFlags(args, 'npm run bench:accuracy', {
    text: ['on', 'types', 'only', 'precisions', 'chunks', 'threads', 'models', 'results', 'page'],
    lists: ['with'],
    switches: ['page-only', 'help'],
  });
  const list = (name, otherwise, known = otherwise) =>
    values[name] === undefined ? otherwise : names(`--${name}`, values[name], known);
  const number = (name, otherwise, most) =>
    values[name] === undefined ? otherwise : count(`--${name}`, values[name], 1, most);
  const models = values.models ?? join(cacheDir, 'peers', 'accuracy');
  return {
    help: values.help,
    pageOnly: values['page-only'],
    on: list('on', Object.keys(ACCURACY_MODELS)),
    types: list('types', TYPES, neox.FILE_TYPES),
    only: list('only', ENGINES),
    precisions: list('precisions', PRECISIONS),
    chunks: number('chunks', 2, 64),
    threads: number('threads', neox.systemInfo().threads, 256),
    python: readPaths(values.with, PATHS).get('llama-cpp-python'),
    models,
    results: values.results ?? join(models, 'accuracy.jsonl'),
    page: pagePath(values.page ?? join(root, 'docs', 'accuracy.md')),
  };
}
