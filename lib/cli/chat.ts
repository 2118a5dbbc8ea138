// `neox chat`: turns on one session, typed in a terminal or read from a pipe, a line each.

import type { Model, OverflowOptions, Session } from '../index.js';
import { readAnswer, statistics } from './answer.js';
import { type ChatLine, readPipe, readTerminal } from './chat-lines.js';
import type { CommandSpec } from './command.js';
import { describeError, EXIT, UsageError } from './exit-codes.js';
import { type GenerateFlags, generateFlags, generateOptions, roomFor } from './generate-options.js';
import { interruptedBy } from './interrupts.js';
import type { Io } from './io.js';
import { chatFormatOption, type LoadFlags, loadFlags, loadModel } from './model-options.js';
import { openSession, saveSession, sessionOption } from './sessions.js';

interface Options extends LoadFlags, GenerateFlags {
  system?: string;
  session?: string;
  quiet?: boolean;
}

/** What a shift drops and keeps is counted in these. */
const BLOCK = 64;

const HELP = `/help          this list
/undo          forget the last turn
/reset         forget the conversation
/system text   begin again with a system message; without text, without one
/exit          leave, as Ctrl-D does
//text         send text that begins with a slash
Ctrl-C stops an answer and keeps what was said.`;

export const chat: CommandSpec<Options> = {
  name: 'chat',
  summary: 'talk with a model; /help lists what a conversation understands',
  options: [
    ...loadFlags,
    chatFormatOption,
    { flags: '--system <text>', help: 'a system message before the first turn' },
    ...generateFlags,
    sessionOption,
    { flags: '-q, --quiet', help: 'no lines of statistics' },
  ],
  examples: [
    { command: 'neox chat' },
    { command: 'neox chat -m model.gguf --temperature 0.7 --system "短く答えてください。"' },
    {
      command: 'printf "こんにちは\\nありがとう\\n" | neox chat',
      note: 'a turn per line; answers on stdout',
    },
  ],

  async run(_args, options, io) {
    const model = await loadModel(options, io, roomFor(options));
    try {
      if (model.chatFormat === undefined) {
        throw new UsageError(
          'The model has no chat format: name one with --chat-format, or continue a text with neox run.',
        );
      }
      const overflow = overflowOf(model, options);
      const session = await openSession(model, options.session, overflow, io);
      return await new Conversation(model, session, overflow, options, io).hold();
    } finally {
      await model.dispose();
    }
  },
};

// Beams cannot drop anything.
function overflowOf({ generationDefaults }: Model, { contextOverflow, numBeams }: Options): OverflowOptions {
  const isSearch = (numBeams ?? generationDefaults.numBeams ?? 1) > 1;
  return { contextOverflow: contextOverflow ?? (isSearch ? 'error' : 'shift') };
}

class Conversation {
  readonly #model: Model;
  readonly #overflow: OverflowOptions;
  readonly #options: Options;
  readonly #io: Io;
  readonly #isTerminal: boolean;
  readonly #turns: number[] = []; // where each began in the session, dropped tokens counted
  #session: Session;
  #system: string | undefined;
  #keep: number; // tokens that an overflow leaves at the beginning

  constructor(model: Model, session: Session, overflow: OverflowOptions, options: Options, io: Io) {
    this.#model = model;
    this.#overflow = overflow;
    this.#options = options;
    this.#io = io;
    this.#isTerminal = io.stdin.isTTY === true;
    this.#session = session;
    this.#system = options.system;
    this.#keep = options.overflowKeep ?? 0;
  }

  /** Resolves with the exit code when the lines end. */
  async hold(): Promise<number> {
    if (this.#isTerminal) await this.#say('neox chat: /help for help, Ctrl-D to leave');
    for await (const line of this.#isTerminal ? readTerminal(this.#io) : readPipe(this.#io)) {
      const exitCode = await this.#take(line);
      if (exitCode !== undefined) return this.#end(exitCode);
    }
    return this.#end(EXIT.ok);
  }

  async #end(exitCode: number): Promise<number> {
    await saveSession(this.#session, this.#options.session, this.#io);
    return exitCode;
  }

  async #take({ command, text, exitCode }: ChatLine): Promise<number | undefined> {
    if (exitCode !== undefined) return exitCode;
    switch (command) {
      case undefined:
        return this.#answer(text);
      case 'exit':
      case 'quit':
        return EXIT.ok;
      case 'help':
        await this.#say(HELP);
        return undefined;
      case 'undo':
        await this.#undo();
        return undefined;
      case 'reset':
        await this.#reset();
        return undefined;
      case 'system':
        this.#system = text === '' ? undefined : text;
        await this.#reset();
        return undefined;
      default:
        await this.#say(`neox: unknown command /${command}; /help lists them`);
        return this.#isTerminal ? undefined : EXIT.usage;
    }
  }

  async #answer(text: string): Promise<number | undefined> {
    const startedAt = performance.now();
    const begin = this.#session.position;
    const dropped = this.#session.droppedTokens;
    const system = begin === 0 && this.#system !== undefined ? this.#system : undefined;
    const messages = [{ role: 'user' as const, content: text }];
    const all = system === undefined ? messages : [{ role: 'system' as const, content: system }, ...messages];
    try {
      return await this.#io.interrupts.during(async (signal) => {
        const keep = this.#keep > 0 ? { overflowKeep: this.#keep } : {};
        const generation = this.#session.chat(all, { ...generateOptions(this.#options), ...keep });
        const answer = await readAnswer(generation, this.#io, signal);
        if (answer.tokenIds.length === 0 && answer.finishReason === 'cancelled')
          this.#goBack(begin + dropped);
        else this.#turns.push(begin + dropped);
        if (system !== undefined) this.#keepSystem(answer.usage.promptTokens);
        await this.#tellOfOverflow(dropped);
        if (!this.#options.quiet) await this.#say(`neox: ${statistics(answer, startedAt)}`);
        return this.#isTerminal ? undefined : interruptedBy(signal)?.exitCode;
      });
    } catch (error) {
      // A person can go on, with /undo or /reset; a program should hear of it.
      if (!this.#isTerminal) throw error;
      this.#goBack(begin + dropped);
      await this.#say(`neox: ${describeError(error)}`);
      return undefined;
    }
  }

  async #undo(): Promise<void> {
    const begin = this.#turns.pop();
    if (begin === undefined) return this.#say('neox: nothing to undo');
    this.#goBack(begin);
    await this.#say('neox: the last turn is forgotten');
  }

  // `begin` counts the tokens that were dropped since; of a turn that began among them the rest goes.
  #goBack(begin: number): void {
    const { position, droppedTokens } = this.#session;
    const kept = Math.min(begin, Math.max(begin - droppedTokens, this.#keep));
    if (kept < position) this.#session.truncate(kept);
  }

  // A system message stands in the first prompt, and outlives what is dropped, unless that leaves a shift nothing to drop.
  #keepSystem(promptTokens: number): void {
    const { contextOverflow } = this.#overflow;
    if (contextOverflow === 'error' || this.#options.overflowKeep !== undefined) return;
    const { contextLength } = this.#model.info;
    const keep = Math.min(promptTokens, Math.floor(contextLength / 4));
    const whole = Math.ceil(keep / BLOCK) * BLOCK;
    if (contextOverflow === 'truncateLeft') this.#keep = keep;
    else if (whole + BLOCK <= contextLength) this.#keep = whole;
  }

  async #tellOfOverflow(before: number): Promise<void> {
    const dropped = this.#session.droppedTokens - before;
    if (dropped > 0 && !this.#options.quiet)
      await this.#say(`neox: the context is full; the oldest ${dropped} tokens were dropped`);
  }

  async #reset(): Promise<void> {
    this.#session.dispose();
    this.#session = this.#model.createSession(this.#overflow);
    this.#keep = this.#options.overflowKeep ?? 0;
    this.#turns.length = 0;
    await this.#say('neox: a new conversation');
  }

  #say(text: string): Promise<void> {
    return this.#io.err.line(text, 'dim');
  }
}
