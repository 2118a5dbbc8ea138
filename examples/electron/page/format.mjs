// Numbers for people.

const whole = new Intl.NumberFormat('ja', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('ja', { maximumFractionDigits: 1 });

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** Tokens a second. @param {number} value */
export function rate(value) {
  return (value < 10 ? tenths : whole).format(value);
}

/** @param {number} value */
export function bytes(value) {
  for (const [unit, size] of /** @type {const} */ ([
    ['GB', 1e9],
    ['MB', 1e6],
  ])) {
    if (value >= size) return `${(value < 10 * size ? tenths : whole).format(value / size)} ${unit}`;
  }
  return `${tenths.format(value / 1e3)} kB`;
}
