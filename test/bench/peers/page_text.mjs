// How the pages write numbers and tables.

/** @param texts - how many of the first columns hold text */
export function table(header, rows, texts) {
  const rule = header.map((_, column) => (column < texts ? '---' : '---:'));
  return `${[header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

export const share = (value) => (isNumber(value) ? `${(100 * value).toFixed(0)} %` : '-');

export const times = (value) => (isNumber(value) ? `${value.toFixed(2)} x` : '-');

/** Three significant digits, without decimals from 100. */
export function digits(value) {
  if (!isNumber(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** `20:06 to 20:56`, with the days where they differ. */
export function timeSpan(times) {
  const [first, last] = [times[0], times.at(-1)].map((time) => time.slice(0, 16).replace('T', ' '));
  if (first === last) return first;
  return `${first} to ${first.slice(0, 10) === last.slice(0, 10) ? last.slice(11) : last}`;
}

/** An error without paths, which are of one machine. */
export function shortly(why) {
  const plain = why.replace(/\S*[/\\]\S+/g, '...').replace(/[|`\n]/g, ' ');
  return /No module named|ENOENT|Cannot find (module|package)/.test(plain)
    ? 'not installed'
    : plain.slice(0, 100);
}
