import { fillStepCosts } from '../../../lib/cli/bench/step-cost.js';
import { type Setup, sweep } from '../../../lib/cli/bench/sweep.js';
import type { Io } from '../../../lib/cli/io.js';
import { demoModelPath, Model } from '../../../lib/index.js';
import { benchRecord } from './records.js';

const options = {
  ...{ repetitions: 1, maxRepetitions: 1, warmup: false, ceilings: false, profile: false },
};
const silent = { line: async () => {}, write: async () => {}, isTerminal: false };
const io = {
  ...{ out: silent, err: silent },
  interrupts: { during: (work: (signal: AbortSignal) => unknown) => work(new AbortController().signal) },
} as unknown as Io;

async function setup(load: Setup['load'], lengths: readonly number[]): Promise<Setup> {
  const path = demoModelPath();
  const tests = lengths.map((nPrompt) => ({ nPrompt, nGen: 0, depth: 0, sequences: 1 }));
  return { path, load, found: await Model.inspect(path), tests };
}

afterEach(() => jest.restoreAllMocks());

test('an error keeps the tests before it, and the test whose profile it ends', async () => {
  const load = Model.load.bind(Model);
  jest.spyOn(Model, 'load').mockImplementation(async (...args) => {
    const model = await load(...args);
    const create = model.createSession.bind(model);
    jest
      .spyOn(model, 'createSession')
      .mockImplementationOnce(create)
      .mockImplementation(() => {
        throw new Error('no more sessions');
      });
    jest.spyOn(model, 'startProfile').mockImplementation(() => {
      throw new Error('no profile');
    });
    return model;
  });
  const one = await setup({ threads: 1 }, [4]);
  const deep = { nPrompt: 4, nGen: 0, depth: 8, sequences: 1 };
  const ended = await sweep([{ ...one, tests: [...one.tests, deep] }], options, io);
  expect(ended).toMatchObject({
    records: [{ n_prompt: 4, n_depth: 0 }],
    ended: new Error('no more sessions'),
  });
  const profiled = await sweep([one], { ...options, profile: true }, io);
  expect(profiled).toMatchObject({ records: [{ n_prompt: 4, profile: [] }], ended: new Error('no profile') });
});

test('a load that takes the weights of the one before has no time', async () => {
  const setups = [await setup({ threads: 1 }, [4]), await setup({ threads: 1, kvCacheType: 'q8_0' }, [4])];
  const { records, ended } = await sweep(setups, options, io);
  expect(ended).toBeUndefined();
  expect(records.map(({ load_ms }) => load_ms)).toEqual([expect.any(Number), null]);
});

test('the cost of a step does not depend on the order of the tests', () => {
  const generation = (n_sequences: number, gen_ts: number, n_depth = 0) =>
    benchRecord({ n_prompt: 0, n_gen: 8, test_kind: 'tg', n_sequences, gen_ts, n_depth });
  const records = [
    generation(4, 20),
    generation(1, 10),
    generation(2, 16),
    generation(2, 16, 64),
    benchRecord(),
  ];
  fillStepCosts(records);
  expect(records.map(({ step_cost }) => step_cost)).toEqual([2, 1, 1.25, null, null]);
});
