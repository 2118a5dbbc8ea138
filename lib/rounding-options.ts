// How values are rounded to a smaller type, and what is told of it: options of `convert` and `quantize`.

import type { RoundingOptions } from './types.js';
import { assertBoolean, assertString } from './validate.js';

export const ROUNDING_OPTIONS = ['imatrix', 'report'];

/** @throws ArgumentError */
export function checkRoundingOptions({ imatrix, report }: RoundingOptions): RoundingOptions {
  if (imatrix !== undefined) assertString('imatrix', imatrix);
  if (report !== undefined) assertBoolean('report', report);
  return { ...(imatrix === undefined ? {} : { imatrix }), ...(report === undefined ? {} : { report }) };
}
