// The writers of `-o` for programs, as llama-bench has them: the same table, columns, quotes and booleans.

import type { BenchRecord } from './record.js';

type Records = readonly BenchRecord[];

export function json(records: Records): string {
  return `${JSON.stringify(records, null, 2)}\n`;
}

export function jsonl(records: Records): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** Samples and other lists are in json and jsonl alone. */
export function csv(records: Records): string {
  const [first] = records;
  if (first === undefined) return '';
  const lines = records.map((record) => plain(record).map(([, value]) => `"${value.replaceAll('"', '""')}"`));
  return [plain(first).map(([name]) => name), ...lines].map((cells) => `${cells.join(',')}\n`).join('');
}

/** For `sqlite3`; what llama-bench has written into a table of this name lacks our columns, and its script reads both. */
export function sql(records: Records): string {
  const [first] = records;
  if (first === undefined) return '';
  const columns = Object.entries(first).filter(([, value]) => isPlain(value));
  const table = columns.map(([name, value]) => `  ${name} ${sqlType(name, value)}`).join(',\n');
  const inserts = records.map((record) => {
    const names = plain(record).map(([name]) => name);
    const values = plain(record).map(([, value], index) =>
      record[names[index] as keyof BenchRecord] === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`,
    );
    return `INSERT INTO llama_bench (${names.join(', ')}) VALUES (${values.join(', ')});\n`;
  });
  return `CREATE TABLE IF NOT EXISTS llama_bench (\n${table}\n);\n\n${inserts.join('')}`;
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== 'object';
}

// Booleans are 0 and 1, and nothing is an empty cell. A NUL would end the program that reads it.
function plain(record: BenchRecord): [name: string, value: string][] {
  return Object.entries(record)
    .filter(([, value]) => isPlain(value))
    .map(([name, value]) => {
      const shown = typeof value === 'boolean' ? Number(value) : (value ?? '');
      return [name, String(shown).replaceAll('\0', '')];
    });
}

// What a number may be follows from its name: one record's value may happen to be whole.
function sqlType(name: string, value: unknown): 'TEXT' | 'INTEGER' | 'REAL' {
  if (typeof value === 'string') return 'TEXT';
  if (typeof value === 'boolean') return 'INTEGER';
  return /^(n_|avg_ns|stddev_ns|build_number|poll|model_|main_gpu|flash_attn|no_|fit_|cpu_count)|_bytes$/.test(
    name,
  )
    ? 'INTEGER'
    : 'REAL';
}
