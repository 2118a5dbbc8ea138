// Electron's archives. Node's file functions see into one there; native code sees the archive, one file.

import { existsSync, statSync } from 'node:fs';
import { NeoxError } from './errors.js';

/**
 * A path into `app.asar` becomes that of the copy in `app.asar.unpacked`; any other is returned as it is.
 * @throws NeoxError `ERR_NEOX_FILE_NOT_FOUND` for a file that was not unpacked
 */
export function outsideArchive(path: string): string {
  const [, archive, inside] = /^(.*?\.asar)([\\/].+)$/s.exec(path) ?? [];
  if (archive === undefined || inside === undefined) return path;
  const unpacked = `${archive}.unpacked${inside}`;
  if (existsSync(unpacked)) return unpacked;
  if (!isArchive(archive)) return path;
  throw new NeoxError(
    'ERR_NEOX_FILE_NOT_FOUND',
    `'${path}' is inside an archive, where native code cannot read it: have it unpacked ` +
      `(electron-builder: asarUnpack, Electron Forge: asar.unpack; **/*.gguf), or keep it beside the app (extraResources).`,
  );
}

// Electron's own file functions show an archive as a folder.
function isArchive(path: string): boolean {
  if (process.versions.electron !== undefined) return existsSync(path);
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
