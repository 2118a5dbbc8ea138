// Which build results are labelled with.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'neox-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const git = (...args: readonly string[]): string => {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@b.c', '-c', 'commit.gpgsign=false'];
  return spawnSync('git', ['-C', folder, ...who, ...args], { encoding: 'utf8' }).stdout.trim();
};

/** What `dist/` says of itself, and the file of `lib/` as it is and when it was written. */
function label(stamp: object, source: string, writtenAt: Date): string {
  writeFileSync(join(folder, 'dist', 'commit.json'), JSON.stringify(stamp));
  writeFileSync(join(folder, 'lib', 'a.ts'), source);
  utimesSync(join(folder, 'lib', 'a.ts'), writtenAt, writtenAt);
  const module = pathToFileURL(join(__dirname, 'measured_build.mjs')).href;
  const script = `import { measuredBuild } from '${module}';
    try { process.stdout.write(measuredBuild(${JSON.stringify(folder)})) } catch (error) { process.stdout.write(error.message) }`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout;
}

test('a build is labelled by what it was built from, and a stale one refused', () => {
  for (const name of ['dist', 'lib']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, '.gitignore'), 'dist/\n');
  writeFileSync(join(folder, 'lib', 'a.ts'), 'one');
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'one');
  const commit = git('rev-parse', '--short=9', 'HEAD');
  const [before, after] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)];

  const clean = { commit, hasChanges: false };
  expect(label(clean, 'one', after)).toBe(commit);
  expect(label(clean, 'two', before)).toBe(
    `dist/ was built from ${commit}, and the sources are others now: npm run build:all first.`,
  );
  // Built with changes: two such builds are two, and what was changed since is stale.
  const changed = { commit, hasChanges: true };
  writeFileSync(join(folder, 'dist', 'a.js'), 'two');
  const first = label(changed, 'two', before);
  expect(first).toMatch(new RegExp(`^${commit}\\+[0-9a-f]{6}$`));
  expect(label(changed, 'two', after)).toMatch(/with changes, and the sources are others now/);
  writeFileSync(join(folder, 'dist', 'a.js'), 'three');
  expect(label(changed, 'three', before)).not.toBe(first);
  expect(label({}, 'three', after)).toMatch(/^no commit\+[0-9a-f]{6}$/);
  // What is no source, and a commit that only changes such, leaves the build what it is.
  writeFileSync(join(folder, 'README.md'), 'words');
  git('checkout', '-q', 'lib');
  git('add', 'README.md');
  git('commit', '-qm', 'words');
  expect(label(clean, 'one', after)).toBe(commit);
  writeFileSync(join(folder, 'lib', 'new.ts'), 'more');
  expect(label(clean, 'one', after)).toMatch(/the sources are others now/);
  // Which a build lifts, for it counts the same files.
  const build = pathToFileURL(join(__dirname, '..', '..', '..', 'scripts', 'build.mjs')).href;
  const script = `import { builtFrom } from '${build}'; console.log(JSON.stringify(builtFrom(${JSON.stringify(folder)})))`;
  const built = JSON.parse(
    spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout,
  );
  expect(built).toMatchObject({ hasChanges: true });
  expect(label(built, 'one', before)).toMatch(/^[0-9a-f]{9}\+[0-9a-f]{6}$/);
});
