// Characters that Node's Unicode and that of the Rust library `tokenizers` 0.22.2 take differently. Its regular expressions know
// Unicode 16, its normalization Unicode 11; Node's version depends on its release. Found by comparing every code point with the
// reference, and with Unicode 14 for what a release of Node may lack.

// Ranges in hexadecimal.
const LETTERS =
  '1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85 10ec2-10ec4 1123f-11240 ' +
  '11380-11389 1138b 1138e 11390-113b5 113b7 113d1 113d3 11bc0-11be0 11f02 11f04-11f10 11f12-11f33 ' +
  '1342f 13441-13446 13460-143fa 16100-1611d 16d40-16d6c 18cff 1b132 1b155 1df25-1df2a 1e030-1e06d ' +
  '1e4d0-1e4eb 1e5d0-1e5ed 1e5f0 2b739 2ebf0-2ee5d 31350-323af';
const NUMBERS =
  '10d40-10d49 116d0-116e3 11bf0-11bf9 11f50-11f59 16130-16139 16d70-16d79 1ccf0-1ccf9 1d2c0-1d2d3 ' +
  '1e4f0-1e4f9 1e5f1-1e5fa';
// Numbers to the library's own code, others to its regular expressions.
const LATE_NUMBERS = '11de0-11de9 16ff4-16ff6';
const OTHERS =
  '88f c5c cdc a7ce-a7cf a7d2 a7d4 a7f1 10940-10959 10ec5-10ec7 11db0-11ddb 11de0-11de9 16ea0-16eb8 ' +
  '16ebb-16ed3 16ff2-16ff6 187f8-187ff 18d09-18d1e 18d80-18df2 1e6c0-1e6de 1e6e0-1e6e2 1e6e4-1e6e5 ' +
  '1e6e7-1e6ed 1e6f0-1e6f4 1e6fe-1e6ff 2b73a-2b73f 2cea2-2cead 323b0-33479';
const UNKNOWN_TO_NORMALIZATION =
  '7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa a82c 10d24-10d27 ' +
  '10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 113ce-113d0 ' +
  '1145e 11839-1183a 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42 11d44-11d45 11d97 11f41-11f42 ' +
  '1612f 16ff0-16ff1 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 ' +
  '1e6ee-1e6ef 1e6f5';
const UNKNOWN_COMPOSITIONS =
  '105c9 105d2 105da 105e4 11382-11385 1138b 1138e 11390-11391 113b8 113bb 113c2 113c5 113c7-113c9 ' +
  '11930 11935 11938 1611e-16129 16d63 16d67-16d6a';

const UNKNOWN_COMPATIBILITIES =
  '32ff a7f1-a7f4 ab69 10781-10785 10787-107b0 107b2-107ba 1ccd6-1ccf9 1e030-1e06d 1f16c 1fbf0-1fbf9';

export type NormalizationForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

const toClass = (ranges: string): string => ranges.replace(/([0-9a-f]+)/g, '\\u{$1}').replaceAll(' ', '');

let patterns: { classes: [RegExp, string, string][]; lateNumbers: RegExp; unknown: RegExp } | undefined;

// Compiled on first use: most models have another kind of tokenizer.
function tables(): NonNullable<typeof patterns> {
  const pattern = (ranges: string): RegExp => new RegExp(`[${toClass(ranges)}]`, 'gu');
  patterns ??= {
    // With a character of the class in one UTF-16 unit, and one in two.
    classes: [
      [pattern(LETTERS), '\u3042', '\u{10000}'],
      [pattern(NUMBERS), '1', '\u{10107}'],
      [pattern(OTHERS), '!', '\u{1f600}'],
    ],
    lateNumbers: pattern(LATE_NUMBERS),
    unknown: pattern(`${UNKNOWN_TO_NORMALIZATION} ${UNKNOWN_COMPOSITIONS} ${UNKNOWN_COMPATIBILITIES}`),
  };
  return patterns;
}

/**
 * The text with other characters in the place of those whose class (letter, number, neither) Node may not know as the reference
 * does: of the same class and length. Only for cutting the original.
 * @param isNumbers - whether it is cut at numbers alone, which the library does without a regular expression
 */
export function withKnownClasses(text: string, isNumbers: boolean): string {
  const { classes, lateNumbers } = tables();
  let known = isNumbers ? text.replace(lateNumbers, '\u{10107}') : text;
  for (const [pattern, short, long] of classes) {
    known = known.replace(pattern, (char) => (char.length === 1 ? short : long));
  }
  return known;
}

/** Unicode normalization; characters that the reference does not know stay as they are, and nothing moves across them. */
export function normalize(text: string, form: NormalizationForm): string {
  const { unknown } = tables();
  let normalized = '';
  let at = 0;
  for (const match of text.matchAll(unknown)) {
    normalized += text.slice(at, match.index).normalize(form) + match[0];
    at = match.index + match[0].length;
  }
  return normalized + text.slice(at).normalize(form);
}
