// The names by which a checkpoint may be known: chat formats and the settings of model cards go by them.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { modelNameOf, resolveModelPath } from './hub-cache.js';

const LARGEST_CONFIG = 1 << 20;

/**
 * What the model at a path is called, and then what its config.json says it was made from (`_name_or_path`), where that is said.
 * @throws what `resolveModelPath` throws
 */
export function modelNames(path: string): string[] {
  const origin = originOf(join(resolveModelPath(path), 'config.json'));
  return origin === undefined ? [modelNameOf(path)] : [modelNameOf(path), origin];
}

// Whatever is wrong with the file, its reader says.
function originOf(file: string): string | undefined {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats?.isFile() || stats.size > LARGEST_CONFIG) return undefined;
    const origin: unknown = JSON.parse(readFileSync(file, 'utf8'))._name_or_path;
    return typeof origin === 'string' ? origin : undefined;
  } catch {
    return undefined;
  }
}
