// `neox chat`: turns on one session, typed in a terminal or read from a pipe, a line each.

import type { Session } from '../index.js';
import { readAnswer, statistics } from './answer.js';
import { type ChatLine, readPipe, readTerminal } from './chat-lines.js';
import type { CommandSpec } from './command.js';
import { describeError, EXIT, UsageError } from './exit-codes.js';
import { type GenerateFlags, generateFlags, generateOptions } from './generate-options.js';
import { interruptedBy } from './interrupts.js';
import type { Io } from './io.js';
import { chatFormatOption, type LoadFlags, loadFlags, loadModel } from './model-options.js';

interface Options extends LoadFlags, GenerateFlags {
  system?: string;
  quiet?: boolean;
}

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
    const model = await loadModel(options, io);
    try {
      if (model.chatFormat === undefined) {
        throw new UsageError(
          'The model has no chat format: name one with --chat-format, or continue a text with neox run.',
        );
      }
      const conversation = new Conversation(() => model.createSession(), options, io);
      return await conversation.hold();
    } finally {
      await model.dispose();
    }
  },
};

class Conversation {
  readonly #open: () => Session;
  readonly #options: Options;
  readonly #io: Io;
  readonly #isTerminal: boolean;
  readonly #turns: number[] = []; // where each began in the session
  #session: Session;
  #system: string | undefined;

  constructor(open: () => Session, options: Options, io: Io) {
    this.#open = open;
    this.#options = options;
    this.#io = io;
    this.#isTerminal = io.stdin.isTTY === true;
    this.#session = open();
    this.#system = options.system;
  }

  /** Resolves with the exit code when the lines end. */
  async hold(): Promise<number> {
    if (this.#isTerminal) await this.#say('neox chat: /help for help, Ctrl-D to leave');
    for await (const line of this.#isTerminal ? readTerminal(this.#io) : readPipe(this.#io)) {
      const exitCode = await this.#take(line);
      if (exitCode !== undefined) return exitCode;
    }
    return EXIT.ok;
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
    const system = begin === 0 && this.#system !== undefined ? this.#system : undefined;
    const messages = [{ role: 'user' as const, content: text }];
    const all = system === undefined ? messages : [{ role: 'system' as const, content: system }, ...messages];
    try {
      return await this.#io.interrupts.during(async (signal) => {
        const generation = this.#session.chat(all, generateOptions(this.#options));
        const answer = await readAnswer(generation, this.#io, signal);
        if (answer.tokenIds.length > 0) this.#turns.push(begin);
        else if (answer.finishReason === 'cancelled') this.#session.truncate(begin);
        if (!this.#options.quiet) await this.#say(`neox: ${statistics(answer, startedAt)}`);
        return this.#isTerminal ? undefined : interruptedBy(signal)?.exitCode;
      });
    } catch (error) {
      // A person can go on, with /undo or /reset; a program should hear of it.
      if (!this.#isTerminal) throw error;
      if (this.#session.position > begin) this.#session.truncate(begin);
      await this.#say(`neox: ${describeError(error)}`);
      return undefined;
    }
  }

  async #undo(): Promise<void> {
    const begin = this.#turns.pop();
    if (begin === undefined) return this.#say('neox: nothing to undo');
    this.#session.truncate(begin);
    await this.#say('neox: the last turn is forgotten');
  }

  async #reset(): Promise<void> {
    this.#session.dispose();
    this.#session = this.#open();
    this.#turns.length = 0;
    await this.#say('neox: a new conversation');
  }

  #say(text: string): Promise<void> {
    return this.#io.err.line(text, 'dim');
  }
}
