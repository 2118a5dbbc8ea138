// docs/performance.md, written from the results.

import { describeMachine } from './machine.mjs';
import { OURS, PEERS } from './peers.mjs';
import { median, runsOf } from './results.mjs';
import { deviation } from './task.mjs';

const MEASURES = ['pp', 'tg', 'tgDepth', 'firstTokenSeconds', 'peakBytes'];
const NOISY = { others: 0.1, steal: 0.05 }; // shares of all processors
const LARGEST_DEVIATION = 0.2; // of logits of random weights; those of another network deviate by 1.4

/** @param missing - `{ peer, why }` of those that could not run; `args` - of this call */
export function renderPage(records, options, missing, args) {
  const types = options.types.filter((type) => runsOf(records, OURS, type).length > 0);
  const groups = types.map((type) => groupOf(records, type));
  return `${[
    ...head(records, options, args),
    '## Speed',
    '',
    speedTable(groups, options),
    ...legend(options),
    '## How near to what the machine can do',
    '',
    ceilingTable(groups, options),
    '`pp` counts two operations for every multiplication with its addition in the matrix products, `tg` the bytes of all weights but the',
    'embedding and of the keys and values, once per token. The ceilings were measured right before and after each run (`measureCeilings`, as',
    '`neox bench` does), the larger counts; each share is the median of the shares of the rounds. A question mark: with noisy runs among them,',
    'whose neighbours may have taken the ceiling too, so that shares come out too large. Reading the file: one thread, pieces of 1 MiB,',
    'from the page cache, best of three.',
    '',
    '## Do they compute the same?',
    '',
    ...agreement(groups, records),
    '## What else the machine did',
    '',
    noiseTable(groups),
    ...notRun(records, missing),
  ].join('\n')}\n`;
}

function groupOf(records, type) {
  const rows = PEERS.map((peer) => ({ peer, runs: runsOf(records, peer.name, type) })).filter(
    ({ runs }) => runs.length > 0,
  );
  for (const row of rows) {
    row.medians = Object.fromEntries(
      MEASURES.map((name) => [name, median(row.runs.map((run) => run[name]))]),
    );
  }
  return { type, rows, ours: rows.find(({ peer }) => peer.name === OURS) };
}

function head(records, options, args) {
  const { cpu, processors, memoryBytes, system } = describeMachine();
  const times = records.map(({ at }) => at).sort();
  const day = (time) => time.slice(0, 16).replace('T', ' ');
  const layers = options.layers === null ? '' : `, its first ${options.layers} layers`;
  const versions = PEERS.map(({ name, title }) => [
    title,
    [...new Set(options.types.flatMap((type) => runsOf(records, name, type).map((run) => run.version)))],
  ]).filter(([, own]) => own.length > 0);
  const commits = [
    ...new Set(options.types.flatMap((type) => runsOf(records, OURS, type).map((run) => run.commit))),
  ];
  return [
    '# Performance',
    '',
    'Written by `npm run bench:peers` (test/bench/peers) from its results; not edited by hand. What was tried on the way, failures',
    'too, is in [performance-journal.md](performance-journal.md); how far the formats and precisions are from the float32 network in',
    '[accuracy.md](accuracy.md).',
    '',
    '```sh',
    `npm run bench:peers${args.length > 0 ? ` -- ${shown(args)}` : ''}`,
    '```',
    '',
    `- ${cpu}, ${processors} processors, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB of memory; ${system}`,
    `- ${options.threads} threads; the shape ${options.shape}${layers}, random weights (\`neox synth\`)`,
    `- ${day(times[0])} to ${day(times.at(-1))} UTC; gpt-neox at commit ${commits.join(', ')}`,
    `- ${versions.map(([title, own]) => `${title}: ${own.join(' and ')}`).join('; ')}`,
    '- every figure is the median of the runs in the last column, each in a process of its own; in each round every engine runs once,',
    '  beginning with another one each time. The same file for all that read GGUF; keys and values in f16 unless an engine knows only its',
    '  own type.',
    '',
  ];
}

/** Without what is of this machine alone. */
function shown(args) {
  const own = /^--(with|models|results|page)$/;
  return args
    .filter(
      (arg, index) =>
        !own.test(arg) &&
        !own.test(args[index - 1] ?? '') &&
        !/^--(with|models|results|page)=|^--page-only$/.test(arg),
    )
    .join(' ');
}

function speedTable(groups, { prompt, gen, depth }) {
  const titles = [`pp${prompt}`, `tg${gen}`, ...(depth > 0 ? [`tg${gen} @ d${depth}`] : [])];
  const header = ['weights', 'engine', ...titles, 'first token', 'peak memory', 'runs'];
  const rows = groups.flatMap(({ type, rows, ours }) =>
    rows.map(({ peer, runs, medians }) => {
      const against = (name, invert) => {
        const [own, other] = [ours.medians[name], medians[name]];
        if (peer.name === OURS || own === null || other === null) return '';
        return ` (${(invert ? other / own : own / other).toFixed(2)} x)`;
      };
      const rate = (name) =>
        medians[name] === null ? '-' : `${digits(medians[name])}${against(name, false)}`;
      const { firstTokenSeconds: first, peakBytes: peak } = medians;
      return [
        type,
        peer.name === OURS ? `**${peer.title}**` : peer.title,
        ...['pp', 'tg', ...(depth > 0 ? ['tgDepth'] : [])].map(rate),
        first === null ? '-' : `${first.toFixed(2)} s${against('firstTokenSeconds', true)}`,
        peak === null ? '-' : `${(peak / 1e9).toFixed(2)} GB`,
        countOf(runs),
      ];
    }),
  );
  return table(header, rows, 2);
}

const isNoisy = ({ noise }) => Object.keys(NOISY).some((name) => noise[name] > NOISY[name]);

function countOf(runs) {
  const noisy = runs.filter(isNoisy).length;
  return noisy === 0 ? String(runs.length) : `${runs.length}, ${noisy} noisy`;
}

function legend({ prompt, gen, depth }) {
  const deep =
    depth > 0 ? [`tg${gen} @ d${depth}: the same with ${depth.toLocaleString('en')} tokens before.`] : [];
  return [
    `pp${prompt}: tokens of a prompt of ${prompt} per second, until its first new token. tg${gen}: ${gen} tokens generated one by one, per second.`,
    ...deep,
    'First token: from the call that loads the file, which is in the page cache, until the first token after a prompt of one. Peak',
    'memory: as the system counts the whole process, pages of a mapped file included. In brackets: how many times as fast gpt-neox is.',
    `Noisy: other processes took more than ${share(NOISY.others)} of the processors, or the host more than ${share(NOISY.steal)}.`,
    '',
  ];
}

function ceilingTable(groups, { prompt, gen, depth }) {
  const header = [
    'weights',
    'precision',
    `pp${prompt}`,
    'of the peak',
    `tg${gen}`,
    'of reading',
    `@ d${depth}`,
    'of reading',
    'first token',
  ];
  const rows = groups.map(({ type, ours: { runs, medians } }) => {
    const of = (value) => median(runs.map(value));
    const operations = (run) => (2 * (run.cost.rowElements * prompt + run.cost.headElements)) / prompt;
    const bytes = (run, begin) => run.cost.stepBytes + run.cost.kvBytes * (begin + gen / 2);
    const peak = peakOf(runs[0].precision, runs[0].ceilings);
    const reading = (name, begin) => [
      medians[name] === null ? '-' : `${digits(of((run) => (bytes(run, begin) * run[name]) / 1e9))} GB/s`,
      share(
        of((run) =>
          run[name] === null ? null : (bytes(run, begin) * run[name]) / 1e9 / run.ceilings.readGbPerS,
        ),
      ),
    ];
    return [
      runs.some(isNoisy) ? `${type} ?` : type,
      runs[0].precision,
      `${digits(of((run) => (operations(run) * run.pp) / 1e9))} Gop/s`,
      `${share(of((run) => (operations(run) * run.pp) / 1e9 / run.ceilings[peak]))} of ${PEAKS[peak]}`,
      ...reading('tg', 1),
      ...reading('tgDepth', depth),
      `${of((run) => run.firstTokenSeconds / run.readSeconds).toFixed(2)} x reading the file`,
    ];
  });
  return table(header, rows, 2);
}

const PEAKS = { int8GopPerS: 'int8', bf16GflopPerS: 'bf16', f32GflopPerS: 'f32' };

function peakOf(precision, ceilings) {
  if (precision === 'fast') return 'int8GopPerS';
  return precision === 'high' && ceilings.bf16GflopPerS ? 'bf16GflopPerS' : 'f32GflopPerS';
}

function agreement(groups, records) {
  const rows = groups.flatMap(({ type, rows: all }) =>
    all
      .filter(({ peer }) => peer.name !== OURS)
      .map(({ peer, runs: [run] }) => {
        const [ours] = runsOf(records, OURS, peer.same ?? type);
        if (!ours) return [type, peer.title, '-', '-', `not compared: no run of gpt-neox on ${peer.same}`];
        const off = deviation(run.logits, ours.logits);
        const count = run.ids?.findIndex((id, index) => id !== ours.ids[index]) ?? null;
        const same = count === null ? '-' : `${count < 0 ? run.ids.length : count} of ${run.ids.length}`;
        const verdict =
          off === null
            ? sameIds(count)
            : off < LARGEST_DEVIATION
              ? 'the same network'
              : '**another network**';
        return [type, peer.title, off === null ? '-' : `${(100 * off).toFixed(1)} %`, same, verdict];
      }),
  );
  return [
    'Logits after the same 32 tokens, at 256 ids: root mean square of the difference to gpt-neox on the same weights, relative to their',
    'spread; then how many of the first greedy tokens are the same. The weights are random, so that small differences soon turn a',
    'choice; logits of another network would deviate by 141 %. llama.cpp computes GELU by its tanh approximation, the others as trained.',
    '',
    table(['weights', 'engine', 'deviation of logits', 'same greedy ids', ''], rows, 2),
  ];
}

function sameIds(count) {
  if (count === null) return 'it tells neither';
  return count === 0 ? '**other ids**' : 'the same network';
}

function noiseTable(groups) {
  const rows = groups.map(({ type, rows: all }) => {
    const noise = all.flatMap(({ runs }) => runs.map((run) => run.noise));
    const times = all.flatMap(({ runs }) => runs.map(({ at }) => at)).sort();
    const both = (name) => {
      const values = noise.map((each) => each[name]).filter((value) => value !== null);
      return values.length === 0 ? '-' : `${share(median(values))}, ${share(Math.max(...values))}`;
    };
    const loads = noise.map(({ load }) => load);
    const ceilings = all.find(({ peer }) => peer.name === OURS).runs.map((run) => run.ceilings.readGbPerS);
    return [
      type,
      `${times[0].slice(5, 16).replace('T', ' ')} to ${times.at(-1).slice(11, 16)}`,
      both('others'),
      both('steal'),
      `${digits(median(loads))}, ${digits(Math.max(...loads))}`,
      `${digits(Math.min(...ceilings))} to ${digits(Math.max(...ceilings))} GB/s`,
    ];
  });
  return [
    'Median and largest over the runs: processor time of other processes and of the host (stolen), as shares of all processors; load',
    'when a run began, which a run before it leaves behind. The read ceiling shows how the memory of a shared host varies.',
    '',
    table(['weights', 'when', 'others', 'stolen', 'load', 'read ceiling'], rows, 2),
  ].join('\n');
}

function notRun(records, missing) {
  const rows = PEERS.filter(({ name }) => !records.some(({ peer }) => peer === name)).map((peer) => {
    const why = missing.findLast((each) => each.peer.name === peer.name)?.why ?? 'left out';
    return [peer.title, shortly(why), `\`${peer.install}\``];
  });
  if (rows.length === 0) return [];
  return ['', '## Not run', '', table(['engine', 'why', 'how to have it'], rows, 3)];
}

// Without paths, which are of one machine.
function shortly(why) {
  const plain = why.replace(/\S*[/\\]\S+/g, '...').replace(/[|`]/g, '');
  return /No module named|ENOENT|Cannot find (module|package)/.test(plain)
    ? 'not installed'
    : plain.slice(0, 100);
}

function table(header, rows, texts) {
  const rule = header.map((_, column) => (column < texts ? '---' : '---:'));
  return `${[header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

const share = (value) => (value === null ? '-' : `${(100 * value).toFixed(0)} %`);

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
