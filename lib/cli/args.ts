// From a command's spec to commander and back: values by option name, or the text of its help.

import type { Command as Program } from 'commander';
import type { CommandSpec, OptionSpec } from './command.js';
import { UsageError } from './exit-codes.js';

export interface Parsed {
  args: string[];
  options: Record<string, unknown>;
  /** Set when help was asked for. */
  help?: string;
}

const common: readonly OptionSpec[] = [{ flags: '--debug', help: 'show the stack of an error' }];

/** @throws UsageError */
export function parse(spec: CommandSpec, argv: readonly string[]): Parsed {
  const values: Record<string, unknown> = {};
  const program = build(spec, values);
  let help = '';
  program.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    writeErr: () => {},
  });
  program.exitOverride();
  try {
    program.parse(longFlags(spec, argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof commander().CommanderError)) throw error;
    if (error.exitCode === 0) return { args: [], options: {}, help };
    const [extra] = program.args;
    if (error.code === 'commander.excessArguments' && !spec.arguments?.length && extra !== undefined) {
      const model = spec.options.some(({ flags }) => flags.startsWith('-m, --model'));
      const hint = model ? ' A model is given as -m <path>.' : '';
      throw new UsageError(
        `neox ${spec.name} takes no arguments, not '${extra}'.${hint} See neox ${spec.name} --help.`,
      );
    }
    const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    const sentence = /[.)?]$/.test(message) ? message : `${message}.`;
    throw new UsageError(`${sentence} See neox ${spec.name} --help.`, { cause: error });
  }
  const { debug: _, ...options } = program.opts(); // main reads it: an error may come before this
  return { args: program.args, options: { ...options, ...values } };
}

/** Help of the whole program: every command in one line. */
export function overview(specs: readonly CommandSpec[], about: string): string {
  const { Command } = commander();
  const program = new Command('neox').usage('[command] [options] [prompt...]').helpCommand(false);
  for (const { name, summary } of specs) program.command(name).summary(summary);
  program.option('-V, --version', 'print the version');
  return `${program.helpInformation()}\n${about}`;
}

// What has a reader of its own goes to `values`: commander would make '' of null.
function build(spec: CommandSpec, values: Record<string, unknown>): Program {
  const { Command, Option } = commander();
  const program = new Command(`neox ${spec.name}`).description(spec.summary).allowExcessArguments(false);
  for (const { syntax, help } of spec.arguments ?? []) program.argument(syntax, help);
  for (const each of [...spec.options, ...common]) {
    const name = optionName(each.flags);
    const option = new Option(each.flags.replace(/^-\w\w+, /, ''), describe(each));
    option.flags = each.flags;
    // `--no-repeat-ngram-size` is a name, not a negation: what a flag means is for the command to say.
    option.negate = false;
    option.attributeName = () => name;
    if (each.choices) option.choices(each.choices);
    if (each.parse || each.repeats) {
      option.argParser((text: string) => {
        values[name] = read(each, text, values[name]);
        return text;
      });
    }
    program.addOption(option.makeOptionMandatory(each.required === true));
  }
  const examples = spec.examples.map(({ command, note }) => `  ${note ? `# ${note}\n  ` : ''}${command}\n`);
  const notes = spec.notes === undefined ? '' : `\n${spec.notes}\n`;
  const within = Object.keys(spec.commands ?? {}).map((name) => `  neox ${spec.name} ${name} --help\n`);
  const commands = within.length === 0 ? '' : `\nCommands within:\n${within.join('')}`;
  return program.addHelpText('after', `${commands}\nExamples:\n${examples.join('')}${notes}`);
}

// A short flag of several letters, as llama.cpp has them, becomes the long one: others read `-pg` as `-p g`.
function longFlags(spec: CommandSpec, argv: readonly string[]): string[] {
  const long = new Map(
    spec.options.flatMap(({ flags }) => {
      const [, short, name] = /^(-\w\w+), (--[\w-]+)/.exec(flags) ?? [];
      return short === undefined || name === undefined ? [] : [[short, name] as const];
    }),
  );
  const end = argv.indexOf('--');
  const words = end >= 0 ? argv.slice(0, end) : argv;
  const foreign = words.find((word) => Object.hasOwn(spec.foreign ?? {}, word));
  if (foreign !== undefined) throw new UsageError(`${foreign} ${spec.foreign?.[foreign]}.`);
  return argv.map((word, index) => (end >= 0 && index > end ? word : (long.get(word) ?? word)));
}

/** `--max-new-tokens <n>` is `maxNewTokens`. */
export function optionName(flags: string): string {
  const long = /--([\w-]+)/.exec(flags)?.[1] ?? '';
  return long.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function read(spec: OptionSpec, text: string, before: unknown): unknown {
  try {
    const value = spec.parse ? spec.parse(text) : text;
    return spec.repeats ? [...((before as unknown[] | undefined) ?? []), value] : value;
  } catch (error) {
    if (error instanceof UsageError) throw new (commander().InvalidArgumentError)(error.message);
    throw error;
  }
}

function describe({ help, defaultText }: OptionSpec): string {
  return defaultText === undefined ? help : `${help} (default: ${defaultText})`;
}

// Loaded when arguments are parsed: require, because a bundled CommonJS module has no named ESM exports.
function commander(): typeof import('commander') {
  return require('commander') as typeof import('commander');
}
