// Which version of this project is measured.

import { firstLine, root } from '../../../scripts/steps.mjs';

/** The last commit of what is built, with a + where files differ from it. */
export function commitOfSources() {
  const git = (...args) => firstLine('git', ['-C', root, ...args, '--', 'native', 'lib']) ?? '';
  return `${git('log', '-1', '--format=%h')}${git('status', '--porcelain') ? '+' : ''}`;
}
