// All tests of `neox bench` on all the models, types, precisions and thread counts asked for.

import type { LoadOptions, Model, ModelInspection } from '../../index.js';
import { interruptedBy } from '../interrupts.js';
import type { Io } from '../io.js';
import { type LoadFlags, loadModel } from '../model-options.js';
import { withProgress } from '../progress.js';
import { rate } from '../values.js';
import { modelCost } from './cost.js';
import { ceilingsNow, type MeasuredCeilings, machineFields, resetPeakMemory } from './machine.js';
import { Stage } from './measure.js';
import { type ProfiledPhase, profilePhases } from './profile.js';
import { type BenchRecord, ceilingFields, makeRecord } from './record.js';
import { repeat } from './repeat.js';
import { fillStepCosts } from './step-cost.js';
import { type BenchTest, positionsNeeded, testKind, testName } from './tests.js';

const SHOW_EVERY_MS = 500;

/** One way to load a model, and what to measure on it. */
export interface Setup {
  path: string;
  load: Pick<LoadOptions, 'type' | 'precision' | 'kvCacheType' | 'threads'>;
  found: ModelInspection;
  tests: readonly BenchTest[];
}

/** Flags of loading that are the same for all. */
const LOAD_FLAGS = ['cache', 'cacheFolder', 'device', 'gpuLayers', 'deterministic'] as const;

export interface SweepOptions extends Pick<LoadFlags, (typeof LOAD_FLAGS)[number]> {
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
export function sweep(setups: readonly Setup[], options: SweepOptions, io: Io): Promise<Sweep> {
  return io.interrupts.during(async (signal) => {
    const records: BenchRecord[] = [];
    let model: Model | undefined;
    try {
      for (const [index, setup] of setups.entries()) {
        const ceilings = options.ceilings ? [await ceilingsNow(setup.load.threads, signal)] : [];
        signal.throwIfAborted();
        const kept = isSameFile(setups[index - 1], setup) ? model : undefined;
        if (kept === undefined) await model?.dispose();
        resetPeakMemory();
        const begin = performance.now();
        // Weights are shared with a load of the same file that is still there, so that its time would be that of no load.
        model = await load(setup, options, io);
        const loadMs = kept === undefined ? performance.now() - begin : null;
        await kept?.dispose();
        const own = await measureSetup({ setup, model, loadMs, ceilings, signal }, options, io);
        records.push(...own.records);
        if (own.ended !== undefined) return { records, ended: own.ended };
        if (!options.ceilings) continue;
        const both = ceilingFields([...ceilings, await ceilingsNow(setup.load.threads, signal)]);
        for (const record of own.records) Object.assign(record, both);
        signal.throwIfAborted();
      }
    } catch (error) {
      return { records, ended: error };
    } finally {
      await model?.dispose();
    }
    return { records, ended: undefined };
  });
}

function isSameFile(a: Setup | undefined, b: Setup): boolean {
  return a?.path === b.path && a.load.type === b.load.type && a.load.precision === b.load.precision;
}

function load({ path, load, tests }: Setup, options: SweepOptions, io: Io): Promise<Model> {
  const given = Object.fromEntries(LOAD_FLAGS.map((name) => [name, options[name]]));
  const flags = Object.fromEntries(
    Object.entries({ ...load, ...given }).filter(([, value]) => value !== undefined),
  );
  const contextLength = positionsNeeded(tests);
  const maxSequences = Math.max(...tests.map(({ sequences }) => sequences));
  return loadModel({ model: path, contextLength, ...flags }, io, { maxSequences });
}

interface Loaded {
  setup: Setup;
  model: Model;
  loadMs: number | null;
  ceilings: readonly MeasuredCeilings[];
  signal: AbortSignal;
}

async function measureSetup(loaded: Loaded, options: SweepOptions, io: Io): Promise<Sweep> {
  const { setup, model, signal } = loaded;
  const records: BenchRecord[] = [];
  let ended: unknown;
  const stage = new Stage(model);
  try {
    for (const test of setup.tests) {
      const time = new Date();
      const machine = machineFields();
      const name = testName(test, testKind(test));
      const threads = model.info.threads;
      const measured = await withRuns(io, name, (onRun) =>
        repeat(() => stage.once(test, signal), { ...options, threads, signal, onRun }),
      );
      if (measured.runs.length === 0) break;
      const { path, found } = setup;
      const record = makeRecord({ ...loaded, machine, path, found, test, time, measured });
      records.push(record);
      const doubt = record.reliable ? '' : ` (${record.unreliable_because})`;
      await io.err.line(`neox: ${name}: ${record.samples_ts.map(rate).join(' ')} tokens/s${doubt}`, 'dim');
      if (options.profile) record.profile = await profileOnce(stage, test, loaded);
    }
  } catch (error) {
    ended = error;
  } finally {
    stage.dispose();
  }
  fillStepCosts(records);
  return { records, ended: ended ?? interruptedBy(signal) };
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
  stage: Stage,
  test: BenchTest,
  { setup, model, signal }: Loaded,
): Promise<ProfiledPhase[]> {
  try {
    signal.throwIfAborted();
    model.startProfile();
    await stage.once(test, signal);
    return profilePhases(model.endProfile(), modelCost(setup.found, model.info.kvCacheType), test);
  } catch (error) {
    if (signal.aborted) return [];
    throw error;
  }
}
