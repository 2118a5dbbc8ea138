import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { reportPage } from '../../../lib/cli/bench/report/page.js';
import { assertWritable, writePage } from '../../../lib/cli/bench/report/write.js';
import { temporaryFolder } from '../program.js';
import { benchRecord } from './records.js';

const name = `<img src=x onerror="alert(1)">'&\u202e\u001b[2J.gguf`;

const records = [
  benchRecord({ model_filename: name, model_type: '<b>gptneox</b>' }),
  benchRecord({ model_filename: name, n_depth: 512, reliable: false, unreliable_because: '<i>noise</i>' }),
  ...[1, 2, 4].map((n_sequences) =>
    benchRecord({
      ...{ n_sequences, test_kind: 'tg' as const, n_prompt: 0, n_gen: 32, median_ts: 10 * n_sequences },
      ...{
        ttft_ms: null,
        itl_p50_ms: 99,
        itl_p99_ms: 120.5,
        gen_ts: 10,
        read_gb_per_s: 35,
        matmul_gop_per_s: null,
      },
    }),
  ),
  benchRecord({
    n_depth: 1024,
    profile: [
      {
        ...{ phase: 'prompt', passes: 2, rows: 1024, ms: 10 },
        ops: [
          { op: 'fc1', ms: 7.5, wait_ms: 0.75, share: 0.75, gb_per_s: 3, gop_per_s: 800 },
          { op: 'norm', ms: 2.5, wait_ms: 0, share: 0.25, gb_per_s: null, gop_per_s: null },
        ],
      },
    ],
  }),
  benchRecord({
    test_kind: 'text',
    n_gen: 64,
    gen_ts: 10,
    gen_chars_per_s: 17.5,
    cpu_info: '"quoted" <cpu>',
  }),
];
const page = reportPage(records);

test('nothing of a file or a machine becomes markup', () => {
  expect(page).not.toMatch(/<img|<b>|<i>|<cpu>|onerror="/);
  for (const char of ['\u001b', '\u202e']) expect(page).not.toContain(char);
  expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;');
  expect(page).toContain('&lt;i&gt;noise&lt;/i&gt;');
});

test('it is one well-formed page that loads nothing', () => {
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  expect(page).not.toMatch(/<(script|link|iframe|object|a)\b|url\(|@import|<[a-z][^>]*\s(src|href)=/);
  const open: string[] = [];
  for (const [, end, tag = '', rest = ''] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (rest.endsWith('/') || ['meta', 'br'].includes(tag)) continue;
    if (end) expect([tag, open.pop()]).toEqual([tag, tag]);
    else open.push(tag);
  }
  expect(open).toEqual([]);
  expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
});

test('tests are called quiet only where that is known', () => {
  const quiet = 'Every test agreed with itself';
  expect(reportPage([benchRecord()])).toContain(quiet);
  for (const unknown of [{ spread: null }, { others_cpu: null }, { steal: null }]) {
    const text = reportPage([benchRecord(), benchRecord(unknown)]);
    expect(text).not.toContain(quiet);
    expect(text).toContain('Nothing speaks against a test, but not all could be told');
  }
});

test('every plot has a title, a description and its figures as a table', () => {
  const figures = page.match(/<figure>.*?<\/figure>/gs) ?? [];
  const titles = figures.map((figure) => /<figcaption>(.*?)<\/figcaption>/.exec(figure)?.[1]);
  expect(titles).toEqual([
    'Prompts: tokens per second',
    'Generation: tokens per second',
    'Prompts with what follows them: tokens per second',
    'Generation by sequences that generate at once: tokens per second',
    'Share of the machine&#39;s best, measured in the same process',
    'Shares of the time of a pass, by operation',
  ]);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(ids.length);
  for (const figure of figures) {
    const [, by = ''] = /role="img" aria-labelledby="([^"]+)"/.exec(figure) ?? [];
    expect(by.split(' ').every((id) => ids.includes(id))).toBe(true);
    expect(figure).toMatch(/<desc [^>]*>[^<]+<\/desc>/);
    expect(figure).toMatch(
      /<details><summary>The figures<\/summary><div [^>]*><table><thead><tr><th scope="col"/,
    );
  }
});

test('plots are to scale, and doubts and dots are drawn', () => {
  const bars = [...page.matchAll(/<rect x="0" y="\d+" width="([\d.]+)" height="16"/g)].map((match) =>
    Number(match[1]),
  );
  const [one = 0, two = 0, four = 0] = bars.slice(3, 6);
  expect(two / one).toBeCloseTo(2, 2);
  expect(four / one).toBeCloseTo(4, 2);
  expect(page).toContain('fill-opacity="0.45"');
  const stack = [...page.matchAll(/ width="([\d.]+)" height="22"/g)].map((match) => Number(match[1]));
  expect(stack.filter((width) => width > 0)).toEqual([540, 180]);
  const line =
    /<path d="M([\d.]+) ([\d.]+) L([\d.]+) ([\d.]+) L([\d.]+) ([\d.]+)"/.exec(page)?.slice(1).map(Number) ??
    [];
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, x4 = 0, y4 = 0] = line;
  expect((x4 - x2) / (x2 - x1)).toBeCloseTo(2, 1);
  expect((y2 - y4) / (y1 - y2)).toBeCloseTo(2, 1);
});

test('a page behind a link is written where the link points, whether it is there or not', async () => {
  const folder = temporaryFolder();
  try {
    const [page, link] = [join(folder.path, 'page.html'), join(folder.path, 'link.html')];
    symlinkSync('page.html', link);
    for (const text of ['first', 'second']) {
      await assertWritable(link);
      await writePage(link, text);
      expect(readFileSync(page, 'utf8')).toBe(text);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    }
    expect(readdirSync(folder.path).sort()).toEqual(['link.html', 'page.html']);
    symlinkSync('b.html', join(folder.path, 'a.html'));
    symlinkSync('c.html', join(folder.path, 'b.html'));
    await writePage(join(folder.path, 'a.html'), 'third');
    expect(lstatSync(join(folder.path, 'b.html')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder.path, 'c.html'), 'utf8')).toBe('third');
  } finally {
    folder.remove();
  }
});

const onPosix = process.platform === 'win32' ? test.skip : test;
onPosix('a page is written into a pipe that has no name but its descriptor', () => {
  const write = join(__dirname, '..', '..', '..', 'dist', 'cli', 'bench', 'report', 'write.js');
  const script = `const { assertWritable, writePage } = require(${JSON.stringify(write)});
    assertWritable('/dev/fd/3').then(() => writePage('/dev/fd/3', 'page'));`;
  const bash = 'exec 3> >(cat); "$0" -e "$1"; exec 3>&-; wait';
  const { stdout, stderr } = spawnSync('bash', ['-c', bash, process.execPath, script], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['page', '']);
});
