// `npm run bench:peers`: this project and its peers on the same models, interleaved; writes docs/performance.md. See README.md.

import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isMain, runMain, StepError } from '../../../scripts/steps.mjs';
import { describeMachine } from './machine.mjs';
import { measuredBuild } from './measured_build.mjs';
import { runOne } from './one_run.mjs';
import { HELP, readOptions } from './options.mjs';
import { renderPage } from './page.mjs';
import { describePlan, duration, planRuns, totalSeconds } from './plan.mjs';
import { probePeer } from './process.mjs';
import { addResult, fits, newestSeries, readResults, settingsOf } from './results.mjs';

const say = (text) => process.stderr.write(`${text}\n`);

async function main(args) {
  const options = await readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const pathOf = ({ name, path }) => options.paths.get(name) ?? options.paths.get(path);
  const absent = [];
  if (!options.pageOnly) {
    const found = await findPeers(options, pathOf, absent);
    const before = readResults(options.results);
    if (options.plan) {
      process.stdout.write(describePlan(found, before, options));
      return 0;
    }
    await runAll(planRuns(found, before, options), pathOf, options);
  }
  const records = readResults(options.results).filter((record) => fits(record, options) && record.commit);
  if (!newestSeries(records).some(({ error }) => !error))
    throw new StepError(`${options.results} holds no run with these settings that came to an end.`);
  writeFileSync(options.page, renderPage(records, options, absent));
  say(`wrote ${relative(process.cwd(), options.page)}`);
  return 0;
}

async function findPeers(options, pathOf, absent) {
  const [commit, machine] = [measuredBuild(), describeMachine()];
  const found = [];
  for (const peer of options.peers.filter(({ name }) => options.only.includes(name))) {
    const { version, error } = await probePeer(peer, pathOf(peer));
    if (error) absent.push({ peer, why: error });
    else found.push({ ...peer, version, commit, machine });
    say(error ? `${peer.title}: not run (${error}); ${peer.install}` : `${peer.title}: ${version}`);
  }
  if (found.length === 0) throw new StepError('None of these peers is installed; --with says where one is.');
  return found;
}

async function runAll(runs, pathOf, options) {
  let left = totalSeconds(runs);
  say(`${runs.length} runs: about ${duration(left)}`);
  const failed = new Set();
  for (const [index, { peer, type, round, seconds: guess }] of runs.entries()) {
    left -= guess;
    const key = `${peer.name} ${type}`;
    if (failed.has(key)) continue;
    const found = await runOne(peer, type, pathOf, guess, options);
    if (found.error) failed.add(key);
    const { version: probe, commit, machine } = peer;
    const who = { peer: peer.name, probe, commit, machine, type, round };
    addResult(options.results, { at: new Date().toISOString(), ...who, ...settingsOf(options), ...found });
    const what = found.error ?? `${describe(found)}; ${duration(left)} left`;
    say(`[${index + 1}/${runs.length}] ${type}, round ${round + 1}, ${peer.title}: ${what}`);
  }
}

function describe({ pp, tg, tgDepth, firstTokenSeconds, peakBytes, noise }) {
  const rate = (value) => (value === null ? '-' : value.toFixed(1));
  const others = noise.others === null ? '' : `, others ${noise.others.toFixed(1)} cores`;
  const memory = peakBytes === null ? '' : `, ${(peakBytes / 1e9).toFixed(2)} GB`;
  const first = firstTokenSeconds === null ? '' : `, first token ${firstTokenSeconds.toFixed(2)} s`;
  return `pp ${rate(pp)}, tg ${rate(tg)}, at depth ${rate(tgDepth)}${first}${memory}${others}`;
}

if (isMain(import.meta.url)) await runMain(main);
