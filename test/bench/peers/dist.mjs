// This project as it was built, for the harness itself.

import { createRequire } from 'node:module';

export const neox = createRequire(import.meta.url)('../../../dist/index.js');
