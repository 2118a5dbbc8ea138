// Where the time of the passes goes, in the report.

import type { Operation } from '../../../index.js';
import { PROFILE_HEAD, phaseTitle, profileRows } from '../profile.js';
import { recordName } from '../record.js';
import { type Html, html } from './html.js';
import { stacks } from './plots.js';
import { labelOf, type Records } from './sections.js';

// From what reads and computes most to what should be little, so that neighbours differ.
const OPERATIONS: readonly Operation[] = [
  'qkv',
  'dense',
  'fc1',
  'fc2',
  'head',
  'attention',
  'norm',
  'quantize',
  'sampling',
  'other',
];

export function profiles(records: Records): Html | undefined {
  const list = records.flatMap((record) =>
    record.profile.map((phase) => ({
      phase,
      label: `${labelOf(record, records, recordName(record))}: ${phaseTitle(phase)}, ${phase.ms.toFixed(2)} ms`,
    })),
  );
  if (list.length === 0) return undefined;
  const share = ({ phase }: (typeof list)[number], op: Operation): number =>
    phase.ops.find((each) => each.op === op)?.share ?? 0;
  const about = {
    id: 'o',
    title: 'Shares of the time of a pass, by operation',
    description: list
      .map((each) => {
        const parts = OPERATIONS.map((op) => `${op} ${(100 * share(each, op)).toFixed(0)} percent`);
        return `${each.label}: ${parts.join(', ')}.`;
      })
      .join(' '),
    head: ['pass', ...PROFILE_HEAD],
    rows: list.flatMap(({ label, phase }) => profileRows(phase).map((cells) => [label, ...cells])),
  };
  const rows = list.map((each) => ({ label: each.label, shares: OPERATIONS.map((op) => share(each, op)) }));
  return html`<h2>Where the time goes</h2>
<p class="soft">Time of the thread that runs the passes; the table has beside each operation how much of it was waiting for the
other threads, and what it read and computed per second. One run of its own.</p>
${stacks(about, OPERATIONS, rows)}`;
}
