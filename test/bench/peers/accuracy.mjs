// `npm run bench:accuracy`: how far formats and precisions are from the float32 network, ours and llama.cpp's on the same files;
// writes docs/accuracy.md. See README.md.

import { mkdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isMain, runMain, StepError } from '../../../scripts/steps.mjs';
import { f32File, quantizedFile } from './accuracy_models.mjs';
import { HELP, readOptions } from './accuracy_options.mjs';
import { renderAccuracy } from './accuracy_page.mjs';
import { CHUNK, digestOf, textsOf } from './accuracy_texts.mjs';
import { meanOf, neox } from './dist.mjs';
import { checked, compareRows } from './divergence.mjs';
import { ownLogits, PHASES, peerLogits } from './logits.mjs';
import { measuredBuild } from './measured_build.mjs';
import { OURS, peerOf } from './peers.mjs';
import { probePeer } from './process.mjs';
import { addResult, failureOf, readResults } from './results.mjs';

const say = (text) => process.stderr.write(`${text}\n`);

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!options.pageOnly) await compareAll(options);
  const records = readResults(options.results).filter(({ inputs }) => inputs !== undefined);
  if (records.length === 0) throw new StepError(`${options.results} holds nothing that can be compared.`);
  writeFileSync(options.page, renderAccuracy(records));
  say(`wrote ${relative(process.cwd(), options.page)}`);
  return 0;
}

async function compareAll(options) {
  mkdirSync(options.models, { recursive: true });
  const peers = [];
  for (const peer of options.only.filter((name) => name !== OURS).map(peerOf)) {
    const { version, error } = await probePeer(peer, options.python);
    if (error) say(`${peer.title}: not compared (${error}); ${peer.install}`);
    else peers.push({ ...peer, version });
  }
  const build = `${measuredBuild()}, ${neox.systemInfo().isa}`;
  for (const name of options.on) {
    const original = await f32File(name, options.models);
    const texts = await textsOf(name, original, options);
    let reference;
    for (const type of options.types) {
      const path = await quantizedFile(name, type, options.models);
      const inputs = digestOf(texts, original, path);
      const done = readResults(options.results)
        .filter((record) => record.inputs === inputs)
        .filter((record) => !checked(record).error);
      const jobs = listJobs(path, texts, build, peers, options).filter((job) => !done.some(isOf(job)));
      if (jobs.length === 0) continue;
      let exact;
      try {
        reference ??= await ownLogits(original, 'exact', 'prompt', texts, options.threads);
        // The weights' loss is in both; what the arithmetic adds is seen against the same file's exact logits.
        exact = await ownLogits(path, 'exact', 'prompt', texts, options.threads);
      } catch (error) {
        say(`${name} ${type}: ${failureOf(error).error}`);
        continue;
      }
      const who = { model: name, type, inputs, chunks: options.chunks, reference: build };
      for (const job of jobs) await compareOne(job, who, reference, exact, options);
    }
  }
}

function listJobs(path, texts, build, peers, { only, precisions, threads, python, models }) {
  const ours = only.includes(OURS) ? precisions : [];
  return PHASES.flatMap((phase) => [
    ...ours.map((precision) => ({
      ...{ engine: OURS, version: build, precision, phase },
      read: () => ownLogits(path, precision, phase, texts, threads),
    })),
    ...peers.map((peer) => ({
      ...{ engine: peer.name, version: peer.version, precision: null, phase },
      read: () => peerLogits(peer, python, path, phase, texts, threads, models),
    })),
  ]);
}

function isOf({ engine, version, precision, phase }) {
  return (record) =>
    record.engine === engine &&
    record.version === version &&
    record.precision === precision &&
    record.phase === phase;
}

async function compareOne({ read, ...job }, who, reference, exact, { results }) {
  const begin = performance.now();
  const record = { at: new Date().toISOString(), ...who, ...job };
  const label = `${who.model} ${who.type} ${job.engine}${job.precision ? ` ${job.precision}` : ''}, ${job.phase}`;
  const compared = await read().then((logits) => divergences(logits, reference, exact, who), failureOf);
  const found = checked({ ...record, ...compared });
  addResult(results, found);
  if (found.error) return say(`${label}: ${found.error}`);
  const [kl, ownKl] = [found.kl, found.ownKl].map((values) => meanOf(values).toExponential(2));
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  say(`${label}: KL ${kl}, of the arithmetic ${ownKl}, ${seconds} s`);
}

function divergences(logits, reference, exact, { chunks }) {
  if (logits.length !== reference.length) return { error: 'logits of another vocabulary' };
  const vocabSize = logits.length / (chunks * (CHUNK - 1));
  const [whole, own] = [reference, exact].map((rows) => compareRows(rows, logits, vocabSize));
  return {
    kl: whole.kl.map(short),
    same: whole.same.filter(Boolean).length,
    ownKl: own.kl.map(short),
    ownSame: own.same.filter(Boolean).length,
  };
}

const short = (value) => Number(value.toPrecision(4));

if (isMain(import.meta.url)) await runMain(main);
