// Statistics of a few samples.

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a sample, as llama-bench has it; 0 for one value. */
export function deviationOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

/** Between the two values next to it, by its distance to each; NaN of none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The middle half of the values against their median: one run that went astray does not count. */
export function spreadOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  return (quantileOf(values, 0.75) - quantileOf(values, 0.25)) / medianOf(values);
}

/**
 * How often chance alone would part two samples of one source at least as far (Mann and Whitney's test, two-sided): exact up to
 * 50 values a side, by the normal distribution beyond that.
 */
export function rankTest(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b].sort((x, y) => x - y);
  const ranks = doubledRanks(all);
  const middle = a.length * (all.length + 1);
  const far = Math.abs(a.reduce((sum, value) => sum + (ranks.get(value) ?? 0), 0) - middle);
  const dealt = all.map((value) => ranks.get(value) ?? 0);
  return Math.max(a.length, b.length) <= MOST_EXACT
    ? exactTail(dealt, a.length, middle, far)
    : normalTail(dealt, a.length, far);
}

/** Above 0 where the second sample ranks higher than the first, below where it ranks lower. */
export function rankShift(a: readonly number[], b: readonly number[]): number {
  const ranks = doubledRanks([...a, ...b].sort((x, y) => x - y));
  return meanOf(b.map((value) => ranks.get(value) ?? 0)) - meanOf(a.map((value) => ranks.get(value) ?? 0));
}

const MOST_EXACT = 50;

// Twice the mean rank of equal values, so that it is an integer.
function doubledRanks(sorted: readonly number[]): Map<number, number> {
  const ranks = new Map<number, number>();
  for (let first = 0, last = 0; first < sorted.length; first = last) {
    const value = sorted[first] as number;
    while (sorted[last] === value) last += 1;
    ranks.set(value, first + last + 1);
  }
  return ranks;
}

// The share of all ways to deal `count` of the ranks whose sum is as far from the middle.
function exactTail(ranks: readonly number[], count: number, middle: number, far: number): number {
  // ways[n] maps a sum of ranks to the ways of choosing n of the values seen so far with that sum.
  const ways: Map<number, number>[] = Array.from({ length: count + 1 }, () => new Map());
  ways[0]?.set(0, 1);
  for (const rank of ranks) {
    for (let n = count; n > 0; n--) {
      const to = ways[n] as Map<number, number>;
      for (const [sum, many] of ways[n - 1] ?? []) to.set(sum + rank, (to.get(sum + rank) ?? 0) + many);
    }
  }
  let extreme = 0;
  let total = 0;
  for (const [sum, many] of ways[count] ?? []) {
    total += many;
    if (Math.abs(sum - middle) >= far) extreme += many;
  }
  return extreme / total;
}

// Of the sum of `count` ranks drawn without putting back; the error function is Abramowitz and Stegun's 7.1.26.
function normalTail(ranks: readonly number[], count: number, far: number): number {
  const n = ranks.length;
  const variance = (count * (n - count) * deviationOf(ranks) ** 2) / n;
  if (variance === 0) return 1;
  const x = far / Math.sqrt(2 * variance);
  const t = 1 / (1 + 0.3275911 * x);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return series.reduce((sum, factor) => sum * t + factor, 0) * t * Math.exp(-x * x);
}
