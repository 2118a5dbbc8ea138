// Prints {"path": ...} of a Chromium and whether there is a Japanese font, or {"reason": ...}. In CI on Debian both are installed.

import { existsSync } from 'node:fs';
import { firstLine } from '../../scripts/steps.mjs';
import { aptInstall, canInstall } from '../../scripts/tools.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function find() {
  const given = process.env.CHROMIUM_PATH;
  const path =
    given ??
    names.map((name) => firstLine('which', [name])).find((found) => found !== null && existsSync(found));
  if (!path) return { reason: 'there is no Chromium (CHROMIUM_PATH may name one)' };
  if (!existsSync(path)) return { reason: `CHROMIUM_PATH names ${path}, which is not there` };
  const fonts = process.platform === 'linux' ? firstLine('fc-list', [':lang=ja', 'family']) : 'the system’s';
  return fonts ? { path } : { reason: 'there is no Japanese font (on Debian: fonts-noto-cjk)' };
}

let found = find();
if (found.reason && process.env.CI === 'true' && canInstall()) {
  aptInstall(['chromium', 'fonts-noto-cjk', 'fontconfig']);
  found = find();
}
console.log(JSON.stringify(found));
