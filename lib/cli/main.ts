#!/usr/bin/env node
// The program `neox`: finds the command, runs it, and is the only file that ends the process.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { overview, parse } from './args.js';
import type { CommandSpec } from './command.js';
import { describeError, EXIT, EXIT_CODES, exitCodeOf } from './exit-codes.js';
import { Interrupts } from './interrupts.js';
import { type Io, Printer } from './io.js';

// Each file is loaded when its command is called.
const commands: Readonly<Record<string, () => Promise<CommandSpec>>> = {
  run: async () => (await import('./run.js')).run,
  chat: async () => (await import('./chat.js')).chat,
  tokenize: async () => (await import('./tokenize.js')).tokenize,
  detokenize: async () => (await import('./detokenize.js')).detokenize,
  inspect: async () => (await import('./inspect.js')).inspect,
  verify: async () => (await import('./verify.js')).verify,
  convert: async () => (await import('./convert.js')).convert,
  quantize: async () => (await import('./quantize.js')).quantize,
  imatrix: async () => (await import('./imatrix.js')).imatrix,
  synth: async () => (await import('./synth.js')).synth,
  bench: async () => (await import('./bench.js')).bench,
  pull: async () => (await import('./pull.js')).pull,
  ls: async () => (await import('./ls.js')).ls,
  rm: async () => (await import('./rm.js')).rm,
  build: async () => (await import('./build.js')).build,
};

const about = `Without a command, the arguments are a prompt for \`neox run\`; after --, even if they begin like a command
or a flag. Without arguments, a terminal gets a chat, and a pipe's text is the prompt. Without -m, the
small demo model of the package answers.

Examples:
  neox "富士山の高さは?"
  neox run -m model.gguf --temperature 0.8 -n 128 "こんにちは"
  neox chat -m model.gguf
  neox run --help

Environment:
  NEOX_THREADS    threads, where -t is not given
  NEOX_FORCE_ISA  instruction set of the kernels: avx512vnni, avxvnni, avx512, avx2,
                  neoni8mm, neondot, neon, scalar
  NEOX_CUDA_LIBRARY  the file that runs models on GPUs, in place of what is installed or built
  HF_TOKEN        for private repositories; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE as elsewhere
  NO_COLOR        no colours

Exit codes:
${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}
`;

async function main(argv: string[], io: Io): Promise<number> {
  const [first = '', ...rest] = argv;
  if (argv.length === 0) return start(io);
  if (first === '--version' || first === '-V') return print(io, `${version()}\n`);
  if (first === '--help' || first === '-h') return print(io, await help());
  if (first === 'help' && rest.length === 0) return print(io, await help());
  if (first === 'help' && rest.length === 1 && isCommand(rest[0])) return call(rest[0], ['--help'], io);
  return isCommand(first) ? call(first, rest, io) : call('run', argv, io);
}

async function start(io: Io): Promise<number> {
  if (!io.stdin.isTTY) return call('run', [], io);
  return io.out.isTerminal ? call('chat', [], io) : print(io, await help());
}

async function call(name: string, argv: readonly string[], io: Io): Promise<number> {
  const outer = await (commands[name] as () => Promise<CommandSpec>)();
  const [word = ''] = argv;
  const inner = Object.hasOwn(outer.commands ?? {}, word) ? outer.commands?.[word] : undefined;
  const spec = inner === undefined ? outer : await inner();
  const { args, options, help } = parse(spec, inner === undefined ? argv : argv.slice(1));
  if (help !== undefined) return print(io, help);
  return (await spec.run(args, options, io)) ?? EXIT.ok;
}

function isCommand(name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(commands, name);
}

async function help(): Promise<string> {
  return overview(await Promise.all(Object.values(commands).map((load) => load())), about);
}

function version(): string {
  const manifest = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function print(io: Io, text: string): Promise<number> {
  await io.out.write(text);
  return EXIT.ok;
}

async function report(error: unknown, argv: readonly string[], io: Io): Promise<number> {
  const flags = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const stack = flags.includes('--debug') && error instanceof Error ? error.stack : undefined;
  await io.err.line(`neox: ${describeError(error)}`);
  if (stack !== undefined) await io.err.line(stack);
  return exitCodeOf(error);
}

function exit(code: number): void {
  // What was written must arrive first; a reader that has gone calls back too, with an error.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

function begin(argv: string[]): void {
  const io: Io = {
    out: new Printer(process.stdout, process.env),
    err: new Printer(process.stderr, process.env),
    stdin: process.stdin,
    interrupts: new Interrupts((code) => process.exit(code)),
  };
  // Node's own way to print warnings takes two lines and names the process.
  process.removeAllListeners('warning');
  process.on('warning', ({ message }) => void io.err.line(`neox: warning: ${message}`));
  // A reader that closed its end has read what it wanted; who does not read errors is not told of them.
  process.stdout.on('error', (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE' || code === 'EOF') process.exit(EXIT.ok); // Windows says EOF
    void report(error, argv, io).then((exitCode) => process.exit(exitCode));
  });
  process.stderr.on('error', () => {});
  main(argv, io)
    .catch((error: unknown) => report(error, argv, io))
    .then(exit);
}

begin(process.argv.slice(2));
