// What a result is compared with: reading for a generation, the arithmetic of its precision for a prompt.

import type { Precision } from '../../index.js';
import { rate } from '../values.js';
import type { BenchRecord } from './record.js';

export type Arithmetic = 'int8' | 'int16' | 'f32';

/** The arithmetic that the products of a prompt are compared with. */
export function arithmeticOf(precision: Precision, quantized: boolean, hasInt16: boolean): Arithmetic {
  if (precision === 'fast' && quantized) return 'int8';
  return precision !== 'exact' && hasInt16 ? 'int16' : 'f32';
}

/** Of a type of weights, or the `model_type` of a record, which ends with it. */
export const isQuantized = (type: string): boolean => !/(^| )(F32|F16|BF16)$/.test(type);

export function productYardstick(record: BenchRecord): { name: Arithmetic; ceiling: number | null } {
  const ceilings: Record<Arithmetic, number | null> = {
    int8: record.ceiling_int8_gop_per_s,
    int16: record.ceiling_int16_gop_per_s,
    f32: record.ceiling_f32_gflop_per_s,
  };
  const name = arithmeticOf(record.precision, isQuantized(record.model_type), Boolean(ceilings.int16));
  return { name, ceiling: ceilings[name] };
}

/** What a result comes to, and its share of the ceiling. */
export function reached(record: BenchRecord): { value: string; share: string; ratio: number | null } {
  const { read_gb_per_s: read, matmul_gop_per_s: products } = record;
  const ceiling = read !== null ? record.ceiling_read_gb_per_s : productYardstick(record).ceiling;
  const value = read ?? products ?? 0;
  const ratio = ceiling ? value / ceiling : null;
  return {
    value: `${rate(value)} ${read !== null ? 'GB/s' : 'Gop/s'}`,
    share: ratio === null ? '-' : `${(100 * ratio).toFixed(0)} %`,
    ratio,
  };
}

/** What the ceilings of each load were, in a sentence; nothing where they were not measured. */
export function ceilingSentences(records: readonly BenchRecord[]): string[] {
  const sentences = records.map((record) => {
    const {
      ceiling_read_gb_per_s: read,
      ceiling_int8_gop_per_s: int8,
      ceiling_int16_gop_per_s: int16,
      ceiling_f32_gflop_per_s: f32,
    } = record;
    if (read === null) return '';
    const reads = record.ceilings.map((each) => rate(each.read_gb_per_s)).join(' before, ');
    const products = `int8 ${rate(int8 ?? 0)} Gop/s, int16 ${rate(int16 ?? 0)} Gop/s, f32 ${rate(f32 ?? 0)} Gflop/s`;
    const after = record.ceilings.length > 1 ? ` (${reads} after)` : '';
    const isDoubtful = record.ceilings.length > 0 && record.ceilings.every((each) => each.unreliable_because);
    const doubt = isDoubtful ? `; perhaps too low: ${record.ceilings.at(-1)?.unreliable_because}` : '';
    return `ceilings of this machine, ${record.n_threads} threads: reads ${rate(read)} GB/s${after}, ${products}${doubt}`;
  });
  return [...new Set(sentences)].filter((sentence) => sentence !== '');
}
