// What else the machine did, what failed, and what did not run.

import { medianOf } from './dist.mjs';
import { digits, share, shortly, table, timeSpan } from './page_text.mjs';

export function conditions(groups) {
  const measured = groups.filter(({ rows }) => rows.length > 0);
  const rows = measured.map(({ type, rows: engines, ours }) => {
    const runs = engines.flatMap((row) => row.runs);
    const both = (name, text) => {
      const values = runs.map(({ noise }) => noise[name]).filter((value) => value !== null);
      return values.length === 0 ? '-' : `${text(medianOf(values))}, ${text(Math.max(...values))}`;
    };
    const span = (name) => {
      const values = (ours?.runs ?? []).flatMap(({ ceilings }) => ceilings?.[name] ?? []);
      if (values.length === 0) return '-';
      const [least, most] = [digits(Math.min(...values)), digits(Math.max(...values))];
      return least === most ? most : `${least} to ${most}`;
    };
    return [
      type,
      timeSpan(runs.map(({ at }) => at).sort()),
      runs[0].commit,
      both('others', (value) => value.toFixed(2)),
      both('steal', share),
      both('load', digits),
      span('readGbPerS'),
      span('int8GopPerS'),
    ];
  });
  return [
    'Median and largest over the runs of all engines: cores that other processes took meanwhile, CPU time that the host took, and the',
    'load when a run began, which the run before it leaves behind. The ceilings show how a shared host varies.',
    '',
    table(
      ['weights', 'when (UTC)', 'build', 'others, cores', 'host', 'load', 'reading, GB/s', 'int8, Gop/s'],
      rows,
      3,
    ),
  ];
}

/** Failures by name, also those of engines that have come to an end on other weights. */
export function notRun(groups, records, peers, absent) {
  const failed = groups.flatMap(({ type, failures }) =>
    failures.map(({ peer, error, round }) => [
      titleOf(peers, peer),
      type,
      `failed in round ${round + 1}: ${shortly(error)}`,
      '',
    ]),
  );
  const never = peers
    .filter(({ name }) => !records.some(({ peer }) => peer === name))
    .map((peer) => {
      const why = absent.find((each) => each.peer.name === peer.name)?.why ?? 'not run';
      return [peer.title, 'all', shortly(why), `\`${peer.install}\``];
    });
  const rows = [...failed, ...never];
  if (rows.length === 0) return [];
  return ['## Failed or not run', '', table(['engine', 'weights', 'why', 'how to have it'], rows, 4)];
}

const titleOf = (peers, name) => peers.find((peer) => peer.name === name)?.title ?? name;
