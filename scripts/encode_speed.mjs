#!/usr/bin/env node
// How fast the tokenizer encodes, beside sentencepiece's own Python binding where that is at hand, and what one endless line
// costs. Reads the built package and the fixtures.
//
//     node scripts/encode_speed.mjs [runs]      NEOX_PYTHON names a Python with sentencepiece 0.2.1
//
// Both encode the same text with the same model, in turn; printed are the medians, and the median of the ratios of neighbours.

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '../dist/index.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const fixtures = join(root, 'test', 'fixtures', 'tokenizer');
const python = process.env.NEOX_PYTHON ?? 'python3';
const runs = Number(process.argv[2] ?? 21);
const noSpecials = { addSpecialTokens: false };

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Japanese sentences of the fixtures in a seeded order, one to three a line. */
function japanese(bytes) {
  const { strings } = JSON.parse(readFileSync(join(fixtures, 'demo_strings.json'), 'utf8'));
  const sentences = strings.map(({ text }) => text).filter((text) => /^[^<[\n]*[ぁ-ん][^<[\n]*$/.test(text));
  let state = 1;
  const random = (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const lines = [];
  for (let size = 0; size < bytes; size += Buffer.byteLength(lines.at(-1)) + 1) {
    lines.push(Array.from({ length: 1 + random(3) }, () => sentences[random(sentences.length)]).join(''));
  }
  return lines;
}

function writeTokenizer(folder, shape) {
  const { model, files } = JSON.parse(readFileSync(join(fixtures, 'spiece', `${shape}.json`), 'utf8'));
  const directory = join(folder, shape);
  mkdirSync(directory);
  copyFileSync(join(fixtures, 'spiece', `${model}.model`), join(directory, 'spiece.model'));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), JSON.stringify(content));
  return directory;
}

/** A running test/python/encode_speed.py: seconds and number of ids, of the whole text or line by line. */
function reference(model, textPath) {
  const child = spawn(python, [join(root, 'test', 'python', 'encode_speed.py'), model, textPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async measure(how) {
      child.stdin.write(`${how}\n`);
      return JSON.parse((await lines.next()).value);
    },
    end: () => child.stdin.end(),
  };
}

function measure(tokenizer, lines, text, how) {
  const start = performance.now();
  let ids = 0;
  if (how === 'whole') ids = tokenizer.encode(text, noSpecials).length;
  else for (const line of lines) ids += tokenizer.encode(line, noSpecials).length;
  return { seconds: (performance.now() - start) / 1e3, ids };
}

async function compare(directory, tokenizer, lines, folder) {
  const text = lines.join('\n');
  const path = join(folder, 'text.txt');
  writeFileSync(path, text);
  const theirs = hasPython ? reference(join(directory, 'spiece.model'), path) : undefined;
  for (const how of ['whole', 'lines']) {
    const pairs = [];
    for (let run = -1; run < runs; run++) {
      const ours = measure(tokenizer, lines, text, how);
      const their = await theirs?.measure(how);
      if (their && their.ids !== ours.ids)
        throw new Error(`${ours.ids} ids, but ${their.ids} of sentencepiece's`);
      if (run >= 0) pairs.push([ours.seconds, their?.seconds]);
    }
    const ours = median(pairs.map(([seconds]) => seconds));
    let line = `  ${how.padEnd(6)} ${(ours * 1e3).toFixed(1)} ms, ${(Buffer.byteLength(text) / 1e6 / ours).toFixed(1)} MB/s`;
    if (theirs) {
      const seconds = median(pairs.map(([, their]) => their));
      const ratio = median(pairs.map(([our, their]) => their / our));
      line += `; sentencepiece in Python ${(seconds * 1e3).toFixed(1)} ms; ${ratio.toFixed(2)} x its speed`;
    }
    console.log(line);
  }
  theirs?.end();
}

/** One line without an end, of four sizes, in a process of its own: the largest resident size only grows. */
async function endless(directory) {
  const tokenizer = await Tokenizer.load(directory);
  const resident = () => process.resourceUsage().maxRSS / 1024;
  const line = japanese(1e6).join('');
  const before = resident();
  for (const megabytes of [1.25, 2.5, 5, 10]) {
    const text = line.repeat(12).slice(0, (megabytes * 1e6 * line.length) / Buffer.byteLength(line));
    const bytes = Buffer.byteLength(text);
    const { seconds } = measure(tokenizer, [], text, 'whole');
    const grown = ((resident() - before) / (bytes / 2 ** 20)).toFixed(0);
    console.log(
      `  one line of ${(bytes / 1e6).toFixed(2)} MB: ${(seconds * 1e3).toFixed(0)} ms, ${((seconds * 1e9) / bytes).toFixed(0)} ns and ${grown} bytes of memory for each`,
    );
  }
}

if (process.argv[2] === '--endless') {
  await endless(process.argv[3]);
  process.exit();
}
const hasPython = spawnSync(python, ['-c', 'import sentencepiece']).status === 0;
if (!hasPython) console.log(`Without a comparison: ${python} has no module sentencepiece (set NEOX_PYTHON).`);
const folder = mkdtempSync(join(tmpdir(), 'neox-encode-'));
try {
  for (const [shape, what] of [
    ['bilingual', 'identity'],
    ['rinna', 'nmt_nfkc'],
  ]) {
    const lines = japanese(1e6);
    const directory = writeTokenizer(folder, shape);
    const tokenizer = await Tokenizer.load(directory);
    console.log(`${shape} (${what}, ${tokenizer.vocabSize} pieces), ${lines.length} lines, ${runs} runs`);
    await compare(directory, tokenizer, lines, folder);
    spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--endless', directory], {
      stdio: 'inherit',
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
