// This project as it was built, for the harness itself: the library, and the arithmetic of `neox bench`.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../../../scripts/steps.mjs';

const require = createRequire(import.meta.url);
const built = (name) => require(join(root, 'dist', name));

export const neox = built('index.js');
export const { modelCost, bytesPerToken, promptOperations } = built('cli/bench/cost.js');
export const { bestCeilings, ceilingsNow } = built('cli/bench/machine.js');
export const { LIMITS, Watch, doubts, readMachine } = built('cli/bench/noise.js');
export const { deviationOf, meanOf, medianOf, quantileOf, spreadOf } = built('cli/bench/statistics.js');
export const { arithmeticOf, isQuantized } = built('cli/bench/yardstick.js');
