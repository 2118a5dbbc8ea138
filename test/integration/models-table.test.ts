// The table of docs/models.md: every model in every container, tried on the tiny checkpoint with its switches. A cell is
// written only after what it says was done, and the text must be the committed one.
// NEOX_WRITE_DOCS=1 npx jest test/integration/models-table.test.ts  writes it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { convert, type FileType, type LoadOptions, Model } from '../../lib/index.js';
import { containerPath, writeSafetensors, writeTorch } from './containers.js';
import { type GoldenTensor, longPromptIds, readGolden, relativeError } from './fixtures.js';
import { MODEL_ROWS } from './model-rows.js';
import { writeWide } from './wide-checkpoint.js';

const TOLERANCE = 1e-4;
/**
 * How far a type may move the logits of a random network of this size (rmsError). The checkpoints' rows are too short for the
 * K-quants' blocks of 256, which are tried on wider ones with the same switches.
 */
const QUANTIZED: Partial<Record<FileType, number>> = {
  Q8_0: 0.03,
  Q6_K: 0.08,
  Q5_K_M: 0.12,
  Q5_1: 0.18,
  Q5_0: 0.18,
  Q4_K_M: 0.27,
  Q4_1: 0.4,
  Q4_0: 0.5,
  IQ4_NL: 0.4,
  Q3_K_M: 0.5,
  Q2_K: 0.9,
};
const COLUMNS = ['safetensors', 'shards', '.bin', 'GGUF in', 'GGUF out', 'quantized', 'logits'] as const;
type Cells = Record<(typeof COLUMNS)[number], string>;

const document = join(__dirname, '..', '..', 'docs', 'models.md');
const BEGIN = '<!-- the table begins: written by test/integration/models-table.test.ts -->';
const END = '<!-- the table ends -->';

const folder = mkdtempSync(join(tmpdir(), 'neox-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The root of the mean square of the differences, as a share of that of the values. */
function rmsError(actual: Float32Array, expected: Float32Array): number {
  const squares = (of: (value: number, i: number) => number): number =>
    expected.reduce((sum, value, i) => sum + of(value, i) ** 2, 0);
  return Math.sqrt(squares((value, i) => (actual[i] ?? Number.NaN) - value) / squares((value) => value));
}

async function withModel<T>(
  path: string,
  options: LoadOptions,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const model = await Model.load(path, { precision: 'exact', threads: 1, ...options });
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** The golden values of a checkpoint, and how a model compares with them. */
class Reference {
  readonly #golden: Record<string, GoldenTensor>;
  readonly ids: Int32Array;
  readonly positions: number[];

  constructor(name: string) {
    this.#golden = readGolden(name);
    this.ids = this.#values('prompt_ids') as Int32Array;
    this.positions = Array.from(this.#values('logit_positions'));
  }

  #values(key: string): GoldenTensor['data'] {
    const tensor = this.#golden[key];
    if (!tensor) throw new Error(`no golden tensor '${key}'`);
    return tensor.data;
  }

  async logits(path: string, options: LoadOptions = {}): Promise<Float32Array> {
    return withModel(path, options, async (model) => {
      return (await model.logits(this.ids, { positions: this.positions })).data;
    });
  }

  /** Logits, those after an embedding block, and those beyond the trained context, where the checkpoint has them. */
  async expectAll(path: string): Promise<void> {
    expect(relativeError(await this.logits(path), this.#values('logits'))).toBeLessThan(TOLERANCE);
    if (this.#golden.embeds) {
      const prompt = [
        { ids: this.#values('embeds_ids_before') as Int32Array },
        { embeddings: this.#values('embeds') as Float32Array },
        { ids: this.#values('embeds_ids_after') as Int32Array },
      ];
      const { data } = await withModel(path, {}, (model) => model.logits(prompt));
      expect(relativeError(data, this.#values('embeds_logits'))).toBeLessThan(TOLERANCE);
    }
    if (this.#golden.long_logits) {
      const positions = Array.from(this.#values('long_logit_positions'));
      const { data } = await withModel(path, { contextLength: 8192 }, (model) =>
        model.logits(longPromptIds(Math.max(...positions) + 1, model.config.vocabSize), { positions }),
      );
      expect(relativeError(data, this.#values('long_logits'))).toBeLessThan(TOLERANCE);
    }
  }

  /** A file of llama.cpp's making holds no activation, so it is read as transformers' default. */
  async expectForeign(path: string): Promise<void> {
    const key = this.#golden.gelu_logits ? 'gelu_logits' : 'logits';
    expect(relativeError(await this.logits(path), this.#values(key))).toBeLessThan(TOLERANCE);
    if (key === 'logits') await this.expectAll(path);
  }
}

/** Does with a checkpoint what the cells say. */
async function tryCheckpoint(name: string): Promise<Cells> {
  const reference = new Reference(name);
  const place = (kind: string): string => join(folder, name, kind);
  const single = writeSafetensors(name, place('single'), 1);
  await reference.expectAll(single);
  const stored = await reference.logits(single);
  const expectSame = async (path: string, options: LoadOptions = {}): Promise<void> => {
    expect(await reference.logits(path, options)).toEqual(stored);
  };
  await expectSame(writeSafetensors(name, place('shards'), 2));
  await expectSame(writeTorch(name, place('torch')));
  await reference.expectForeign(containerPath(name, 'llama-cpp.gguf'));
  const own = join(place('single'), 'model.gguf');
  await convert(single, own);
  await expectSame(own);
  await reference.expectAll(own);
  const wide = writeWide(name, place('wide'));
  const plain = await reference.logits(wide);
  for (const [type, tolerance] of Object.entries(QUANTIZED) as [FileType, number][]) {
    const isWide = type.includes('_K');
    const source = isWide ? wide : single;
    const path = join(source, `${type}.gguf`);
    await convert(source, path, { type });
    const written = await reference.logits(path);
    expect(rmsError(written, isWide ? plain : stored)).toBeLessThan(tolerance);
    expect(await reference.logits(source, { type })).toEqual(written);
    const { tokenIds } = await withModel(path, { precision: 'fast' }, (model) =>
      model.generate(reference.ids, { temperature: 0, eosTokenId: null, maxNewTokens: 4 }).result(),
    );
    expect(tokenIds).toHaveLength(4);
  }
  return {
    safetensors: 'yes',
    shards: 'yes',
    '.bin': 'yes',
    'GGUF in': 'yes',
    'GGUF out': 'yes',
    quantized: Object.keys(QUANTIZED).join(', '),
    logits: 'within 1e-4',
  };
}

const tried = new Map<string, Cells>();

test.each([...new Set(MODEL_ROWS.flatMap((row) => row.checkpoints))])(
  '%s in every container',
  async (name) => {
    tried.set(name, await tryCheckpoint(name));
  },
);

test('docs/models.md has the table of what was tried', async () => {
  const lines = [
    `| model | chat | ${COLUMNS.join(' | ')} |`,
    `| ---${' | ---'.repeat(COLUMNS.length + 1)} |`,
  ];
  for (const { name, checkpoints } of MODEL_ROWS) {
    const cells = COLUMNS.map((column) => {
      const found = [...new Set(checkpoints.map((checkpoint) => tried.get(checkpoint)?.[column] ?? ''))];
      return found.includes('') ? '' : found.join('; ');
    });
    const directory = join(folder, basename(name).replace(/[^\w.-].*$/, ''));
    const { chatFormat } = await Model.inspect(writeSafetensors(checkpoints[0] ?? '', directory, 1));
    lines.push(`| ${name} | ${chatFormat?.name ?? 'none'} | ${cells.join(' | ')} |`);
  }
  const text = readFileSync(document, 'utf8');
  const [before = '', rest = ''] = text.split(`${BEGIN}\n`);
  const [, after = ''] = rest.split(`${END}\n`);
  const written = `${before}${BEGIN}\n\n${lines.join('\n')}\n\n${END}\n${after}`;
  if (process.env.NEOX_WRITE_DOCS) writeFileSync(document, written);
  expect(text.includes(BEGIN) && text.includes(END)).toBe(true);
  expect(readFileSync(document, 'utf8')).toBe(written);
});
