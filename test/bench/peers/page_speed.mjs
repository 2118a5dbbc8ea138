// The tables of speeds: one overview, and one table for each measure.

import { NOISE_LIMITS, sharesOf } from './page_groups.mjs';
import { digits, share, table, times } from './page_text.mjs';
import { OURS } from './peers.mjs';

/** What is measured, in the order of the page; of `isTime` less is better. */
function measuresOf({ prompt, gen, depth }) {
  const tokens = depth.toLocaleString('en');
  const all = [
    {
      name: 'pp',
      title: `pp${prompt}`,
      heading: `Prompts: pp${prompt}`,
      about: `Tokens per second of a prompt of ${prompt}, until its first new token can be chosen.`,
      ceiling: ({ pp, arithmetic }) => [share(pp), ` of ${arithmetic}`],
    },
    {
      name: 'tg',
      title: `tg${gen}`,
      heading: `Generation: tg${gen}`,
      about: `Tokens per second, ${gen} tokens one by one after one token.`,
      ceiling: ({ tg }) => [share(tg), ' of reading'],
    },
    {
      name: 'tgDepth',
      title: `tg${gen} @ d${depth}`,
      heading: `Generation deep in a context: tg${gen} @ d${depth}`,
      about: `The same after ${tokens} tokens.`,
      ceiling: ({ tgDepth }) => [share(tgDepth), ' of reading'],
    },
    {
      name: 'firstTokenSeconds',
      title: 'first token',
      heading: 'Loading: the first token',
      about:
        'Seconds from the call that loads the file until the first token after a prompt of one token is chosen: the same for every\n' +
        'engine, in a fresh process whose libraries are loaded, with the same threads. Right before, as much memory as it needs is touched\n' +
        'and given back, and the file is read three times, so that it is in the page cache. Peak memory: as the system counts the whole\n' +
        'process until its end, pages of a mapped file included.',
      ceiling: ({ firstToken }) => [times(firstToken), ' reading'],
      isTime: true,
    },
  ];
  return all.filter(({ name }) => name !== 'tgDepth' || depth > 0);
}

/** How many times as fast ours is as a row; null where one of them is not known, or where they do not compute the same. */
function ratio(group, row, { name, isTime }) {
  const [own, other] = [group.ours?.of[name].median ?? null, row.of[name].median];
  if (own === null || other === null || row.agreement?.isOther) return null;
  return isTime ? other / own : own / other;
}

export function overview(groups, options) {
  const measures = measuresOf(options);
  const rows = groups.map((group) => [
    group.type,
    ...measures.map((measure) => {
      if (!group.ours) return 'no run of gpt-neox';
      const found = group.rows
        .filter(({ peer }) => peer.name !== OURS)
        .map((row) => ({ row, ratio: ratio(group, row, measure) }))
        .filter((each) => each.ratio !== null);
      if (found.length === 0) return '-';
      const best = found.reduce((a, b) => (b.ratio < a.ratio ? b : a));
      const isDoubtful = [group.ours, best.row].some(({ noisy, runs }) => 2 * noisy >= runs.length);
      return `${times(best.ratio)} (${best.row.peer.title})${isDoubtful ? ' ?' : ''}`;
    }),
  ]);
  return [
    'How many times as fast gpt-neox is as the fastest other engine, which is named; below 1 that one is faster. Ratios of medians; a',
    'question mark where half of the runs of one of both were noisy, or more.',
    '',
    table(['weights', ...measures.map(({ title }) => title)], rows, 1),
  ];
}

export function speedSections(groups, options) {
  return measuresOf(options).flatMap((measure) => {
    const memory = measure.isTime ? ['peak memory'] : [];
    const unit = measure.isTime ? 'seconds' : 'tokens/s';
    const header = [
      'weights',
      'engine',
      unit,
      'spread',
      'speed, gpt-neox = 1',
      'gpt-neox / it',
      'of the ceiling',
    ];
    const rows = groups.flatMap((group) => group.rows.map((row) => cellsOf(group, row, measure, options)));
    return [`### ${measure.heading}`, '', measure.about, '', table([...header, ...memory, 'runs'], rows, 2)];
  });
}

function cellsOf(group, row, measure, options) {
  const isOurs = row.peer.name === OURS;
  const { median, spread } = row.of[measure.name];
  const factor = isOurs ? null : ratio(group, row, measure);
  const shares = isOurs ? sharesOf(group, options) : null;
  const peak = row.of.peakBytes.median;
  const [reached, ofWhat] = shares === null ? ['', ''] : measure.ceiling(shares);
  const hasShare = /\d/.test(reached);
  return [
    group.type,
    isOurs
      ? `**${row.peer.title}**`
      : `${row.peer.title}${row.agreement.isOther ? ' (another network)' : ''}`,
    digits(median),
    spread === null ? '-' : `${(100 * spread).toFixed(1)} %`,
    isOurs ? '1' : factor === null ? '-' : digits(1 / factor),
    isOurs ? '' : times(factor),
    `${reached}${hasShare ? ofWhat : ''}${hasShare && row.noisy > 0 ? ' ?' : ''}`,
    ...(measure.isTime ? [peak === null ? '-' : `${(peak / 1e9).toFixed(2)} GB`] : []),
    row.noisy === 0 ? String(row.runs.length) : `${row.runs.length}, ${row.noisy} noisy`,
  ];
}

export function howToRead() {
  return [
    'Each figure is the median of the runs in the last column; spread: the middle half of them against the median (with two runs',
    'and more). "gpt-neox / it" says how many times as fast gpt-neox is, "speed, gpt-neox = 1" is its inverse; neither is given for an',
    'engine that computes something else.',
    '',
    'Of the ceiling: `pp` counts two operations for every multiplication with its addition in the matrix products, against the peak of',
    'that arithmetic; `tg` the bytes of all weights but the embedding and of the keys and values, once per token, against the read',
    'ceiling; the first token is compared with one thread that reads the file in pieces of 1 MiB, best of three. Ceilings are measured',
    'right before and after each run of gpt-neox, as `neox bench` does; the larger counts, and the share is the median over the runs.',
    `Noisy: other processes took more than ${NOISE_LIMITS.others} of a core that the threads wanted, or the host more than ${share(NOISE_LIMITS.steal)} of the CPU`,
    'time (the noise guard of `neox bench`). A share with a question mark has noisy runs: what disturbs a run may take the ceiling, too.',
    '',
  ];
}
