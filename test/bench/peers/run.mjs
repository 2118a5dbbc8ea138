// `npm run bench:peers`: this project and its peers on the same models, interleaved; writes docs/performance.md. See README.md.

import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isMain, runMain, StepError } from '../../../scripts/steps.mjs';
import { commitOfSources } from './commit.mjs';
import { neox } from './dist.mjs';
import { freeMemory } from './machine.mjs';
import { costOf, gigabytes, prepareInput, readAll, sizeOf } from './models.mjs';
import { HELP, readOptions } from './options.mjs';
import { renderPage } from './page.mjs';
import { OURS, PEERS } from './peers.mjs';
import { probePeer, runDriver } from './process.mjs';
import { addResult, fits, median, readResults, runsOf, settingsOf } from './results.mjs';
import { taskOf } from './task.mjs';

const say = (text) => process.stderr.write(`${text}\n`);

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  options.threads ??= neox.systemInfo().threads;
  const pathOf = ({ name, path }) => options.paths.get(name) ?? options.paths.get(path);
  const missing = [];
  if (!options.pageOnly) {
    const found = await findPeers(options, pathOf, missing);
    const runs = planRuns(found, options);
    const total = runs.reduce((sum, { seconds }) => sum + seconds, 0);
    say(`${runs.length} runs of ${found.map(({ title }) => title).join(', ')}: about ${duration(total)}`);
    if (options.plan) return 0;
    await runAll(runs, total, options, pathOf, missing);
  }
  const records = readResults(options.results).filter((record) => fits(record, options));
  if (records.length === 0) throw new StepError(`${options.results} holds no run with these settings.`);
  writeFileSync(options.page, renderPage(records, options, missing, args));
  say(`wrote ${relative(process.cwd(), options.page)}`);
  return 0;
}

async function findPeers(options, pathOf, missing) {
  const found = [];
  for (const peer of PEERS) {
    if (!options.only.includes(peer.name)) {
      continue;
    }
    const { version, error } = await probePeer(peer, pathOf(peer));
    if (error) missing.push({ peer, why: error });
    else found.push({ ...peer, version, commit: peer.name === OURS ? commitOfSources() : null });
    say(error ? `${peer.title}: not run (${error}); ${peer.install}` : `${peer.title}: ${version}`);
  }
  return found;
}

/** The runs that are missing, in order: type by type, round by round, each round beginning with another peer. */
function planRuns(found, options) {
  const records = readResults(options.results).filter((record) => fits(record, options));
  const runs = [];
  for (const type of options.types) {
    const peers = found.filter((peer) => peer.types(type));
    const done = new Map(peers.map((peer) => [peer, countRuns(records, peer, type)]));
    for (let round = 0; round < options.rounds; round++) {
      for (let turn = 0; turn < peers.length; turn++) {
        const peer = peers[(turn + round) % peers.length];
        if (done.get(peer) > round) continue;
        runs.push({ peer, type, round, seconds: guessSeconds(records, peer, type, options) });
      }
    }
  }
  return runs;
}

function countRuns(records, peer, type) {
  return runsOf(records, peer.name, type).filter(
    ({ probe, commit: at }) => probe === peer.version && at === peer.commit,
  ).length;
}

function guessSeconds(records, peer, type, { layers }) {
  const of = (list) => median(list.map(({ wallSeconds }) => wallSeconds));
  const own = records.filter((record) => record.peer === peer.name && !record.error);
  const measured = of(own.filter((record) => record.type === type)) ?? of(own);
  return measured ?? 3 + (peer.seconds * (layers ?? 36)) / 36;
}

async function runAll(runs, total, options, pathOf, missing) {
  const failed = new Set();
  let left = total;
  for (const [index, { peer, type, round, seconds }] of runs.entries()) {
    left -= seconds;
    const key = `${peer.name} ${type}`;
    if (failed.has(key)) continue;
    const label = `[${index + 1}/${runs.length}] ${type}, round ${round + 1}, ${peer.title}`;
    const record = await runOne(peer, type, pathOf, seconds, options);
    if (record.error) {
      failed.add(key);
      missing.push({ peer, why: record.error });
      say(`${label}: ${record.error}`);
      continue;
    }
    addResult(options.results, {
      at: new Date().toISOString(),
      peer: peer.name,
      probe: peer.version,
      commit: peer.commit,
      type,
      round,
      ...settingsOf(options),
      ...record,
    });
    say(`${label}: ${describe(record)}; ${duration(left)} left`);
  }
}

/** What a run tells, or `{ error }`. */
async function runOne(peer, type, pathOf, seconds, options) {
  let path;
  try {
    path = await prepareInput(peer, type, options, pathOf);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return { error: error.message };
  }
  const needed = peer.resident * sizeOf(path) + 5e8;
  if (needed > freeMemory()) {
    return { error: `needs ${gigabytes(needed)} of memory; ${gigabytes(freeMemory())} are free` };
  }
  const ours = peer.name === OURS;
  const reads = Array.from({ length: ours ? 3 : 1 }, () => readAll(path));
  const ceilings = () => (ours ? neox.measureCeilings({ threads: options.threads, seconds: 1 }) : {});
  const before = await ceilings();
  const found = await runDriver(peer, pathOf(peer), taskOf(path, options), 120 + 10 * seconds);
  const more = ours
    ? {
        ceilings: larger(before, await ceilings()),
        readSeconds: Math.min(...reads),
        cost: await costOf(path),
      }
    : {};
  return { ...found, fileBytes: sizeOf(path), ...more };
}

/** A ceiling is what the machine was seen to do: of two measurements the larger one. */
function larger(a, b) {
  return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, Math.max(value, b[name])]));
}

function describe({ pp, tg, tgDepth, firstTokenSeconds, peakBytes, noise }) {
  const rate = (value) => (value === null ? '-' : value.toFixed(1));
  const others = noise.others === null ? '' : `, others ${(100 * noise.others).toFixed(0)} %`;
  const memory = peakBytes === null ? '' : `, ${(peakBytes / 1e9).toFixed(2)} GB`;
  const first = firstTokenSeconds === null ? '' : `, first token ${firstTokenSeconds.toFixed(2)} s`;
  return `pp ${rate(pp)}, tg ${rate(tg)}, at depth ${rate(tgDepth)}${first}${memory}${others}`;
}

function duration(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

if (isMain(import.meta.url)) await runMain(main);
