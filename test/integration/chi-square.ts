// Pearson's test: how likely counts are that lie at least as far from what is expected.

const LEAST_EXPECTED = 5;

/** The p-value of counts for outcomes of these probabilities. Outcomes of few expected draws are put together. */
export function goodnessOfFit(counts: readonly number[], probabilities: readonly number[]): number {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  const bins: { count: number; expected: number }[] = [];
  let last = { count: 0, expected: 0 };
  const order = probabilities.map((_, outcome) => outcome);
  order.sort((a, b) => (probabilities[a] as number) - (probabilities[b] as number));
  for (const outcome of order) {
    last.count += counts[outcome] as number;
    last.expected += draws * (probabilities[outcome] as number);
    if (last.expected < LEAST_EXPECTED) continue;
    bins.push(last);
    last = { count: 0, expected: 0 };
  }
  if (last.expected > 0) throw new Error('Too few draws for one bin.');
  const statistic = bins.reduce((sum, { count, expected }) => sum + (count - expected) ** 2 / expected, 0);
  return upperTail(statistic, bins.length - 1);
}

/** The p-value of a square table of pairs whose parts are independent. */
export function independence(table: readonly (readonly number[])[]): number {
  const rows = table.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = table.map((_, column) => table.reduce((sum, row) => sum + (row[column] as number), 0));
  const draws = rows.reduce((sum, count) => sum + count, 0);
  let statistic = 0;
  table.forEach((row, i) => {
    row.forEach((count, j) => {
      const expected = ((rows[i] as number) * (columns[j] as number)) / draws;
      statistic += (count - expected) ** 2 / expected;
    });
  });
  return upperTail(statistic, (table.length - 1) ** 2);
}

/** P(X >= x) of the chi-square distribution: the regularized upper incomplete gamma function Q(degrees / 2, x / 2). */
export function upperTail(x: number, degrees: number): number {
  if (x <= 0) return 1;
  // Q(1/2, y) or Q(1, y), then Q(a + 1, y) = Q(a, y) + y^a e^-y / Gamma(a + 1).
  const y = x / 2;
  let a = degrees % 2 === 0 ? 1 : 0.5;
  let tail = a === 1 ? Math.exp(-y) : complementaryError(Math.sqrt(y));
  let logTerm = a * Math.log(y) - y - (a === 1 ? 0 : Math.log(Math.PI / 4) / 2);
  for (; a < degrees / 2; a += 1) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(y) - Math.log(a + 1);
  }
  return tail;
}

// erfc, by its series below 2 and by its continued fraction from there on.
function complementaryError(z: number): number {
  if (z < 2) {
    let term = z;
    let sum = z;
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
}
