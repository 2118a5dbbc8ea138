// Which build of this project is measured: what dist/ and the addon were built from, not what is checked out now.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCES } from '../../../scripts/build.mjs';
import { root, StepError } from '../../../scripts/steps.mjs';

/**
 * The commit of the build; where files differed from it, with a + and a digest of what was built, so that two such builds are two.
 * @throws StepError for a build that is older than its sources
 */
export function measuredBuild(top = root) {
  const stamp = join(top, 'dist', 'commit.json');
  const { commit, hasChanges } = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
  const differs = commit === undefined ? false : hasChanges ? isNewer(top, stamp) : isOther(top, commit);
  if (differs) {
    throw new StepError(
      `dist/ was built from ${commit}${hasChanges ? ' with changes' : ''}, and the sources are others now: npm run build:all first.`,
    );
  }
  return commit !== undefined && !hasChanges ? commit : `${commit ?? 'no commit'}+${digest(top)}`;
}

// A commit that is gone is another one.
function isOther(top, commit) {
  const git = (...args) => spawnSync('git', ['-C', top, ...args, '--', ...SOURCES], { encoding: 'utf8' });
  const untracked = git('ls-files', '--others', '--exclude-standard').stdout;
  return git('diff', '--quiet', commit).status !== 0 || untracked !== '';
}

function isNewer(top, stamp) {
  const { mtimeMs } = statSync(stamp);
  return filesOf(top, SOURCES).some((path) => statSync(path).mtimeMs > mtimeMs);
}

function digest(top) {
  const sum = createHash('sha256');
  const built = filesOf(top, ['dist', join('build', 'Release', 'neox.node')]);
  for (const path of built) if (/\.(js|node)$/.test(path)) sum.update(readFileSync(path));
  return sum.digest('hex').slice(0, 6);
}

function filesOf(top, places) {
  return places
    .map((place) => join(top, place))
    .filter((path) => existsSync(path))
    .flatMap((path) => {
      if (!statSync(path).isDirectory()) return [path];
      const entries = readdirSync(path, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, path: old, name }) => join(parentPath ?? old, name));
    })
    .sort();
}
