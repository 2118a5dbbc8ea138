// examples/electron in a folder of its own, with the package as its users have it: files, not links.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..', '..');

/** Of the package in the example's node_modules. */
export const ADDON = `prebuilds/${platform()}-${arch()}/node.napi.node`;
export const DEMO = 'lib/assets/demo.Q8_0.gguf';

export interface InstalledExample {
  folder: string;
  remove(): void;
}

export function installExample(): InstalledExample {
  const folder = mkdtempSync(join(tmpdir(), 'neox-example-'));
  const packages = join(folder, 'node_modules');
  cpSync(join(root, 'examples', 'electron'), folder, {
    recursive: true,
    filter: (path) => !path.includes('node_modules'),
  });
  const take = (from: string, to = from): void => {
    mkdirSync(dirname(join(packages, 'gpt-neox', to)), { recursive: true });
    cpSync(join(root, from), join(packages, 'gpt-neox', to), { recursive: true });
  };
  take('package.json');
  take('dist');
  take(DEMO);
  take('build/Release/neox.node', ADDON);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    cpSync(join(root, 'node_modules', name), join(packages, name), { recursive: true });
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
