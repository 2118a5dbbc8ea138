// Ctrl-C and its kin: the first ends the work that is armed, the next ends the program.

import { constants } from 'node:os';
import { CliError } from './exit-codes.js';

/** Why armed work was aborted; its exit code is the shell's for the signal. */
export class Interrupted extends CliError {
  constructor(signal: NodeJS.Signals) {
    super(128 + constants.signals[signal], `interrupted by ${signal}`);
  }
}

/** What aborted a signal of {@link Interrupts.during}. */
export function interruptedBy(signal: AbortSignal): Interrupted | undefined {
  return signal.reason instanceof Interrupted ? signal.reason : undefined;
}

export class Interrupts {
  #armed: AbortController | undefined;
  readonly #exit: (code: number) => void;

  /** @param exit - ends the program at once */
  constructor(exit: (code: number) => void) {
    this.#exit = exit;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => this.raise(signal));
  }

  raise(signal: NodeJS.Signals): void {
    const reason = new Interrupted(signal);
    if (this.#armed === undefined || this.#armed.signal.aborted) this.#exit(reason.exitCode);
    else this.#armed.abort(reason);
  }

  /** Runs work that an interrupt aborts; the reason is {@link Interrupted}. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const outer = this.#armed;
    this.#armed = new AbortController();
    try {
      return await work(this.#armed.signal);
    } finally {
      this.#armed = outer;
    }
  }
}
