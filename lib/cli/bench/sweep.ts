// All tests of `neox bench` on all the models, types, precisions and thread counts asked for.

import type { LoadOptions, Model, ModelInspection, ModelProfile } from '../../index.js';
import { interruptedBy } from '../interrupts.js';
import type { Io } from '../io.js';
import { type LoadFlags, loadModel } from '../model-options.js';
import { withProgress } from '../progress.js';
import { rate } from '../values.js';
import { ceilingsNow, type MeasuredCeilings, machineFields, resetPeakMemory } from './machine.js';
import { Stage } from './measure.js';
import { type BenchRecord, ceilingFields, makeRecord } from './record.js';
import { repeat } from './repeat.js';
import { medianOf } from './statistics.js';
import { type BenchTest, positionsNeeded, testKind, testName } from './tests.js';

const SHOW_EVERY_MS = 500;

/** One way to load a model, and what to measure on it. */
export interface Setup {
  path: string;
  load: Pick<LoadOptions, 'type' | 'precision' | 'kvCacheType' | 'threads'>;
  found: ModelInspection;
  tests: readonly BenchTest[];
}

export interface SweepOptions extends Pick<LoadFlags, 'cache' | 'cacheFolder' | 'device'> {
  repetitions: number;
  maxRepetitions: number;
  warmup: boolean;
  ceilings: boolean;
  profile: boolean;
}

export interface Sweep {
  records: BenchRecord[];
  /** What ended it early: an interrupt, or an error of a later model. */
  ended: unknown;
}

/** Whatever ends it, what was measured until then is the result. */
export async function sweep(setups: readonly Setup[], options: SweepOptions, io: Io): Promise<Sweep> {
  const records: BenchRecord[] = [];
  let model: Model | undefined;
  try {
    for (const [index, setup] of setups.entries()) {
      const before = options.ceilings ? [await ceilingsNow(setup.load.threads)] : [];
      const kept = isSameFile(setups[index - 1], setup) ? model : undefined;
      if (kept === undefined) await model?.dispose();
      resetPeakMemory();
      const begin = performance.now();
      // Weights are shared with a load of the same file that is still there.
      model = await load(setup, options, io);
      await kept?.dispose();
      const loadMs = performance.now() - begin;
      const own = await measureSetup({ setup, model, loadMs, ceilings: before }, options, io);
      records.push(...own.records);
      if (own.ended !== undefined) return { records, ended: own.ended };
      if (!options.ceilings) continue;
      const both = ceilingFields([...before, await ceilingsNow(setup.load.threads)]);
      for (const record of own.records) Object.assign(record, both);
    }
  } catch (error) {
    return { records, ended: error };
  } finally {
    await model?.dispose();
  }
  return { records, ended: undefined };
}

function isSameFile(a: Setup | undefined, b: Setup): boolean {
  return a?.path === b.path && a.load.type === b.load.type && a.load.precision === b.load.precision;
}

function load({ path, load, tests }: Setup, options: SweepOptions, io: Io): Promise<Model> {
  const { cache, cacheFolder, device } = options;
  const flags = Object.fromEntries(
    Object.entries({ ...load, cache, cacheFolder, device }).filter(([, value]) => value !== undefined),
  );
  const contextLength = positionsNeeded(tests);
  const maxSequences = Math.max(...tests.map(({ sequences }) => sequences));
  return loadModel({ model: path, contextLength, ...flags }, io, { maxSequences });
}

interface Loaded {
  setup: Setup;
  model: Model;
  loadMs: number;
  ceilings: readonly MeasuredCeilings[];
}

function measureSetup(loaded: Loaded, options: SweepOptions, io: Io): Promise<Sweep> {
  const { setup, model } = loaded;
  return io.interrupts.during(async (signal) => {
    const records: BenchRecord[] = [];
    const singles = new Map<string, number>();
    const stage = new Stage(model);
    for (const test of setup.tests) {
      const time = new Date();
      const machine = machineFields();
      const name = testName(test, testKind(test));
      const threads = model.info.threads;
      const measured = await withRuns(io, name, (onRun) =>
        repeat(() => stage.once(test, signal), { ...options, threads, signal, onRun }),
      );
      if (measured.runs.length === 0) break;
      const single = testName({ ...test, sequences: 1 }, testKind(test));
      if (test.sequences === 1) singles.set(single, medianOf(measured.runs.map((run) => run.decodeNs)));
      const profile = options.profile ? await profileOnce(model, stage, test, signal) : undefined;
      const { path, found } = setup;
      const singleNs = singles.get(single);
      const record = makeRecord({ ...loaded, machine, path, found, test, time, measured, profile, singleNs });
      const doubt = record.reliable ? '' : ` (${record.unreliable_because})`;
      await io.err.line(`neox: ${name}: ${record.samples_ts.map(rate).join(' ')} tokens/s${doubt}`, 'dim');
      records.push(record);
    }
    stage.dispose();
    return { records, ended: interruptedBy(signal) };
  });
}

// A run may take long, and the first one most: the bar is there before it ends.
async function withRuns<T>(
  io: Io,
  name: string,
  work: (onRun: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  return withProgress(
    io,
    name,
    async (onProgress) => {
      let progress = { done: 0, total: 1 };
      const again = setInterval(() => onProgress(progress), SHOW_EVERY_MS);
      try {
        return await work((done, total) => {
          progress = { done, total };
          onProgress(progress);
        });
      } finally {
        clearInterval(again);
      }
    },
    'runs',
  );
}

// A run of its own: what is timed is not measured at the same time. An abort leaves nothing.
async function profileOnce(
  model: Model,
  stage: Stage,
  test: BenchTest,
  signal: AbortSignal,
): Promise<ModelProfile | undefined> {
  try {
    signal.throwIfAborted();
    model.startProfile();
    await stage.once(test, signal);
    return model.endProfile();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
