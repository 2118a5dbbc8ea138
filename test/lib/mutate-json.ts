// Seeded mutations of a JSON text: of its characters, and of the values that it means.

/** Numbers below 2^32, the same from the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

// Texts of values, so that they may be what no value is.
const VALUES = [
  ...['null', 'true', 'false', '""', '" "', '"\\u0000"', '"__proto__"', '"\\ud800"', '"</s>"'],
  ...['0', '-1', '-0', '1.5', '1e999', '2147483648', '4294967296', '9007199254740993', '1e-999', 'NaN'],
  ...['[]', '{}', '[null]', '[[[[]]]]', '{"__proto__": {"x": 1}}', '{"constructor": 1}', '{"content": "a"}'],
  ...['{"content": "", "special": true}', `"${'x'.repeat(20_000)}"`, `[${'0,'.repeat(2000)}0]`],
  ...['['.repeat(5000), `${'['.repeat(3000)}${']'.repeat(3000)}`],
];

/** `text` with one to four changes. */
export function mutateJson(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random(4); left > 0; left--) {
    result = random(3) === 0 ? changeText(result, random) : changeValue(result, random);
  }
  return result;
}

function changeText(text: string, random: Random): string {
  const at = random(text.length + 1);
  const n = 1 + random(1 << random(8));
  switch (random(4)) {
    case 0:
      return text.slice(0, at); // cut
    case 1:
      return text.slice(0, at) + text.slice(at + n);
    case 2:
      return text.slice(0, at) + text.slice(random(text.length + 1)).slice(0, n) + text.slice(at);
    default:
      return text.slice(0, at) + String.fromCharCode(random(0x10000)) + text.slice(at + 1);
  }
}

// Scalars and keys as they are written; one of them becomes something else.
function changeValue(text: string, random: Random): string {
  const all = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|\{\}|\[\]/g)];
  const chosen = all[random(all.length || 1)];
  if (!chosen) return text;
  const isTwice = random(6) === 0;
  const other = all[random(all.length)]?.[0] ?? '0';
  const value = isTwice ? other : (VALUES[random(VALUES.length)] ?? '0');
  return text.slice(0, chosen.index) + value + text.slice(chosen.index + chosen[0].length);
}
