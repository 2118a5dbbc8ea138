// The model that comes with the package.

import { join } from 'node:path';

/** Path of the demo model: a small bilingual chat model, trained for this package, in Q8_0. */
export function demoModelPath(): string {
  return join(__dirname, '..', 'lib', 'assets', 'demo.Q8_0.gguf');
}
