// What a command is: data for parsing, help and docs, and one function. Nothing here runs.

import type { Io } from './io.js';

export interface ArgumentSpec {
  /** As help shows it: `<file>`, `[prompt...]`. */
  syntax: string;
  help: string;
}

export interface OptionSpec {
  /** `-n, --max-new-tokens <n>`; the option's name is the long flag in camelCase. The short one may have several letters. */
  flags: string;
  help: string;
  /** Throws {@link UsageError} for text that it does not take. */
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  /** What help shows as the default. The value itself belongs to `run`, where it is used. */
  defaultText?: string;
  required?: boolean;
  /** May be given several times; the value is a list. */
  repeats?: boolean;
}

export interface Example {
  command: string;
  note?: string;
}

export interface CommandSpec<Options = unknown> {
  name: string;
  summary: string;
  arguments?: readonly ArgumentSpec[];
  options: readonly OptionSpec[];
  /** Flags of another program that one may type here, and what to say of each. */
  foreign?: Readonly<Record<string, string>>;
  examples: readonly Example[];
  /** Commands within this one, by the word that names them as its first argument. */
  commands?: Readonly<Record<string, () => Promise<CommandSpec>>>;
  /** What help says after the examples. */
  notes?: string;
  /** Resolves with the exit code; 0 where it resolves with nothing. Never ends the process. */
  run(args: string[], options: Options, io: Io): Promise<number | undefined>;
}
