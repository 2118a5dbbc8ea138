// Progress of long work on stderr: a bar in a terminal, else a line now and then.

import type { SingleBar } from 'cli-progress';
import type { Progress } from '../index.js';
import type { Io, Printer } from './io.js';

const BAR_DELAY_MS = 300; // work that ends sooner shows nothing
const LINE_EVERY_MS = 10_000;

/** What progress counts; bytes are shown as MiB. */
export type ProgressUnit = 'MiB' | 'tokens' | 'runs' | 'steps';

/** Runs `work` under a label such as `converting`. */
export async function withProgress<T>(
  io: Pick<Io, 'err'>,
  label: string,
  work: (onProgress: (progress: Progress) => void) => Promise<T>,
  unit: ProgressUnit = 'MiB',
): Promise<T> {
  const reporter = io.err.isTerminal ? new Bar(io.err, label, unit) : new Lines(io.err, label);
  try {
    return await work((progress) => reporter.report(progress));
  } finally {
    reporter.stop();
  }
}

class Bar {
  readonly #err: Printer;
  readonly #label: string;
  readonly #unit: ProgressUnit;
  readonly #begin = performance.now();
  #bar: SingleBar | undefined;

  constructor(err: Printer, label: string, unit: ProgressUnit) {
    this.#err = err;
    this.#label = label;
    this.#unit = unit;
  }

  report({ done, total }: Progress): void {
    if (this.#bar === undefined) {
      if (performance.now() - this.#begin < BAR_DELAY_MS || total <= 0) return;
      this.#bar = this.#create();
      this.#bar.start(this.#shown(total), this.#shown(done));
    }
    this.#bar.update(this.#shown(done));
  }

  stop(): void {
    this.#bar?.stop();
  }

  #shown(count: number): number {
    return this.#unit === 'MiB' ? Math.round(count / 2 ** 20) : count;
  }

  #create(): SingleBar {
    const { SingleBar, Presets } = require('cli-progress') as typeof import('cli-progress');
    const format = `${this.#label} {bar} {percentage} % | {value}/{total} ${this.#unit} | {eta_formatted}`;
    // The program has its own idea of Ctrl-C, and a hidden cursor would stay hidden after the second.
    const options = { format, stream: this.#err.stream, clearOnComplete: true, gracefulExit: false };
    return new SingleBar({ ...options, hideCursor: false }, Presets.shades_classic);
  }
}

class Lines {
  readonly #err: Printer;
  readonly #label: string;
  #next = performance.now() + LINE_EVERY_MS;

  constructor(err: Printer, label: string) {
    this.#err = err;
    this.#label = label;
  }

  report({ done, total }: Progress): void {
    if (performance.now() < this.#next || total <= 0) return;
    this.#next = performance.now() + LINE_EVERY_MS;
    void this.#err.line(`neox: ${this.#label} ${Math.floor((100 * done) / total)} %`);
  }

  stop(): void {}
}
