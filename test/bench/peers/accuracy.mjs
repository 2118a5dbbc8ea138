// `npm run bench:accuracy`: how far formats and precisions are from the float32 network, ours and llama.cpp's on the same files;
// writes docs/accuracy.md. See README.md.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir, isMain, root, runMain, StepError } from '../../../scripts/steps.mjs';
import { ACCURACY_MODELS, f32File, quantizedFile } from './accuracy_models.mjs';
import { renderAccuracy } from './accuracy_page.mjs';
import { commitOfSources } from './commit.mjs';
import { neox } from './dist.mjs';
import { compareRows } from './divergence.mjs';
import { ownLogits, PHASES, peerLogits } from './logits.mjs';
import { OURS, peerOf } from './peers.mjs';
import { probePeer } from './process.mjs';
import { addResult, readResults } from './results.mjs';

const TYPES = 'F16,BF16,Q8_0,Q6_K,Q5_K_M,Q5_1,Q5_0,Q4_K_M,IQ4_NL,Q4_1,Q4_0,Q3_K_M,Q2_K'.split(',');
const PEERS = ['llama-cpp-python', 'llama-cpp-python-fa'];
const CHUNK = 512;

const HELP = `npm run bench:accuracy -- [options]

Compares the logits of every type and precision with those of the F32 file under precision exact, and llama.cpp's on the same
files; prompts in one pass, and id by id. Writes docs/accuracy.md from all results so far; a call runs what is missing.

  --on <list>         models                                   [${Object.keys(ACCURACY_MODELS).join(',')}]
  --types <list>      types of weights                         [${TYPES.join(',')}]
  --precisions <list> of ours                                  [exact,high,fast]
  --chunks <n>        texts of ${CHUNK} ids                         [2]
  --threads <n>       threads of every engine                  [physical cores]
  --with <peer=path>  the Python of llama-cpp-python           [python3]
  --models <folder>   where the files are made and kept        [.cache/peers/accuracy]
  --results <file>    what was measured                        [<models>/accuracy.jsonl]
  --page <file>       what is written                          [docs/accuracy.md]
  --page-only         compare nothing, write the page from the results
  --help
`;

const say = (text) => process.stderr.write(`${text}\n`);

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!options.pageOnly) await compareAll(options);
  const records = readResults(options.results).filter(({ chunks }) => chunks === options.chunks);
  if (records.length === 0) throw new StepError(`${options.results} holds nothing with these settings.`);
  writeFileSync(options.page, renderAccuracy(records, options));
  say(`wrote ${relative(process.cwd(), options.page)}`);
  return 0;
}

function readOptions(args) {
  const names = ['on', 'types', 'precisions', 'chunks', 'threads', 'with', 'models', 'results', 'page'];
  const flags = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({
    args,
    options: { ...flags, 'page-only': { type: 'boolean' }, help: { type: 'boolean' } },
  });
  const models = values.models ?? join(cacheDir, 'peers', 'accuracy');
  const on = values.on?.split(',') ?? Object.keys(ACCURACY_MODELS);
  for (const name of on) if (!ACCURACY_MODELS[name]) throw new StepError(`There is no model '${name}'.`);
  return {
    help: values.help ?? false,
    pageOnly: values['page-only'] ?? false,
    on,
    types: values.types?.split(',') ?? TYPES,
    precisions: values.precisions?.split(',') ?? ['exact', 'high', 'fast'],
    chunks: Number(values.chunks ?? 2),
    threads: Number(values.threads ?? neox.systemInfo().threads),
    python: values.with?.replace(/^llama-cpp-python=/, ''),
    models,
    results: values.results ?? join(models, 'accuracy.jsonl'),
    page: values.page ?? join(root, 'docs', 'accuracy.md'),
  };
}

async function compareAll(options) {
  mkdirSync(options.models, { recursive: true });
  const peers = [];
  for (const peer of PEERS.map(peerOf)) {
    const { version, error } = await probePeer(peer, options.python);
    if (error) say(`${peer.title}: not compared (${error}); ${peer.install}`);
    else peers.push({ ...peer, version });
  }
  const commit = commitOfSources();
  for (const name of options.on) {
    const done = readResults(options.results).filter(
      (record) => record.model === name && record.chunks === options.chunks,
    );
    await compareModel(name, peers, commit, done, options);
  }
}

async function compareModel(name, peers, commit, done, options) {
  const { models: folder, threads } = options;
  const original = await f32File(name, folder);
  const chunks = await drawChunks(name, original, options);
  const reference = await ownLogits(original, 'exact', 'prompt', chunks, threads);
  for (const type of options.types) {
    const path = await quantizedFile(name, type, folder);
    const isDone = (engine, precision, phase, version) =>
      done.some(
        (record) =>
          record.type === type &&
          record.engine === engine &&
          record.precision === precision &&
          record.phase === phase &&
          record.version === version,
      );
    const jobs = PHASES.flatMap((phase) => [
      ...options.precisions.map((precision) => ({
        engine: OURS,
        version: commit,
        precision,
        phase,
        read: () => ownLogits(path, precision, phase, chunks, threads),
      })),
      ...peers.map((peer) => ({
        engine: peer.name,
        version: peer.version,
        precision: null,
        phase,
        read: async () => (await peerLogits(peer, options.python, path, phase, chunks, threads, folder)).rows,
      })),
    ]).filter(({ engine, precision, phase, version }) => !isDone(engine, precision, phase, version));
    if (jobs.length === 0) continue;
    // The weights' loss is in both; what the arithmetic adds is seen against the same file's exact logits.
    const exact = await ownLogits(path, 'exact', 'prompt', chunks, threads);
    for (const { read, ...job } of jobs) {
      const begin = performance.now();
      const logits = await read();
      const rows = chunks.length * (CHUNK - 1);
      const whole = compareRows(reference, logits, logits.length / rows);
      const own = compareRows(exact, logits, logits.length / rows);
      const record = { at: new Date().toISOString(), model: name, type, chunks: options.chunks, ...job };
      addResult(options.results, {
        ...record,
        kl: whole.kl.map(short),
        same: whole.same.filter(Boolean).length,
        ownKl: own.kl.map(short),
        ownSame: own.same.filter(Boolean).length,
      });
      const total = (values) => (values.reduce((sum, value) => sum + value, 0) / rows).toExponential(2);
      const who = `${name} ${type} ${job.engine}${job.precision ? ` ${job.precision}` : ''}, ${job.phase}`;
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      say(`${who}: KL ${total(whole.kl)}, of the arithmetic ${total(own.kl)}, ${seconds} s`);
    }
  }
}

const short = (value) => Number(value.toPrecision(4));

/** Texts that the model itself draws, so that they are of the kind that it knows. */
async function drawChunks(name, path, { chunks, threads }) {
  const model = await neox.Model.load(path, {
    precision: 'exact',
    threads,
    contextLength: CHUNK,
    maxSequences: 1,
  });
  try {
    const { prompts } = ACCURACY_MODELS[name];
    const drawn = [];
    for (let index = 0; index < chunks; index++) {
      const prompt = prompts[index % prompts.length];
      const ids = model.tokenizer.encode(prompt, { addSpecialTokens: false });
      const { tokenIds } = await model
        .generate(ids, {
          temperature: 1,
          topK: 0,
          seed: 1 + index,
          eosTokenId: null,
          maxNewTokens: CHUNK - ids.length,
        })
        .result();
      drawn.push([...ids, ...tokenIds]);
    }
    return drawn;
  } finally {
    await model.dispose();
  }
}

if (isMain(import.meta.url)) await runMain(main);
