// What a step of several sequences costs beside a step of one.

import type { BenchRecord } from './record.js';

/** Fills in `step_cost` of generations whose test with one sequence is among the records, before them or after. */
export function fillStepCosts(records: readonly BenchRecord[]): void {
  for (const record of records) {
    const single = records.find((each) => each.n_sequences === 1 && isSameTest(each, record));
    if (record.n_prompt > 0 || record.gen_ts === null || !single?.gen_ts) continue;
    // Both are tokens per second, of which a step makes one for each sequence.
    record.step_cost = (record.n_sequences * single.gen_ts) / record.gen_ts;
  }
}

function isSameTest(a: BenchRecord, b: BenchRecord): boolean {
  return a.n_prompt === b.n_prompt && a.n_gen === b.n_gen && a.n_depth === b.n_depth;
}
