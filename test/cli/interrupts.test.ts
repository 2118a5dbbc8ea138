// Ctrl-C: the first ends the work, the second the program.

import { Interrupted, Interrupts, interruptedBy } from '../../lib/cli/interrupts.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const exits: number[] = [];
let interrupts: Interrupts;
const others = signals.map((signal) => process.listeners(signal));

beforeAll(() => {
  interrupts = new Interrupts((code) => exits.push(code));
});
beforeEach(() => {
  exits.length = 0;
});
afterAll(() => {
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!others[index]?.includes(listener)) process.removeListener(signal, listener);
    }
  }
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('a first %s aborts what runs, a second exits', async (name, code) => {
  await interrupts.during(async (signal) => {
    interrupts.raise(name);
    expect(signal.reason).toBeInstanceOf(Interrupted);
    expect(interruptedBy(signal)?.exitCode).toBe(code);
    expect(exits).toEqual([]);
    interrupts.raise(name);
    expect(exits).toEqual([code]);
  });
});

test('without work that could end, the first one exits', async () => {
  await interrupts.during(async () => undefined);
  interrupts.raise('SIGINT');
  expect(exits).toEqual([130]);
});

test('work inside other work is what is aborted', async () => {
  await interrupts.during(async (outer) => {
    await interrupts.during(async (inner) => {
      interrupts.raise('SIGINT');
      expect(inner.aborted).toBe(true);
    });
    expect(outer.aborted).toBe(false);
  });
});
