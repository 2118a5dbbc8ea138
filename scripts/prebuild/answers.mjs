// What the binaries are to answer. answers.json holds the questions too, and is made by a build of another compiler than the
// package's: the `answers` of
//
//   npm run build:all && node scripts/prebuild/answer.cjs --built

import { readFileSync } from 'node:fs';

const expected = JSON.parse(readFileSync(new URL('answers.json', import.meta.url), 'utf8'));

/** The first answer that is not what it must be, as text; null when all are right. */
export function wrongAnswer(answers) {
  for (const [index, { question, tokenIds, text }] of expected.entries()) {
    const given = answers[index];
    if (JSON.stringify(given?.tokenIds) === JSON.stringify(tokenIds) && given?.text === text) continue;
    return `"${question}" gave ${JSON.stringify(given)}`;
  }
  return answers.length === expected.length ? null : `${answers.length} answers, not ${expected.length}`;
}
