// `neox run`: one prompt, one answer.

import type { Generation, Message, Model, SequenceResult, Session } from '../index.js';
import { type Answer, readAnswer, statistics, writeSequences } from './answer.js';
import type { CommandSpec } from './command.js';
import { EXIT, UsageError } from './exit-codes.js';
import { type GenerateFlags, generateFlags, generateOptions, roomFor } from './generate-options.js';
import { interruptedBy } from './interrupts.js';
import { chatFormatOption, type LoadFlags, loadFlags, loadModel } from './model-options.js';
import { readInput } from './prompt.js';
import { openSession, saveSession, sessionOption } from './sessions.js';
import { integer } from './values.js';

interface Options extends LoadFlags, GenerateFlags {
  file?: string;
  raw?: boolean;
  system?: string;
  text?: 'decode' | 'continuation';
  logprobs?: number;
  numReturnSequences?: number;
  session?: string;
  json?: boolean;
  quiet?: boolean;
}

export const run: CommandSpec<Options> = {
  name: 'run',
  summary: 'answer a prompt, or continue a text',
  arguments: [{ syntax: '[prompt...]', help: 'the prompt; - or nothing reads standard input' }],
  options: [
    ...loadFlags,
    chatFormatOption,
    { flags: '-f, --file <path>', help: 'read the prompt from a file' },
    { flags: '--raw', help: "continue the text as it is, without the model's chat format" },
    { flags: '--system <text>', help: 'a system message before the prompt' },
    ...generateFlags,
    {
      flags: '--num-return-sequences <n>',
      help: 'several answers, drawn or the best beams',
      parse: integer(1),
      defaultText: '1',
    },
    {
      flags: '--text <rule>',
      help: 'decode the answer alone, or as the continuation of the prompt',
      choices: ['decode', 'continuation'],
      defaultText: 'continuation with --raw',
    },
    { flags: '--logprobs <n>', help: 'with --json, log-probabilities and the n best', parse: integer(0, 20) },
    sessionOption,
    { flags: '--json', help: 'print one object at the end' },
    { flags: '-q, --quiet', help: 'no line of statistics' },
  ],
  examples: [
    { command: 'neox run "富士山の高さは?"', note: 'the demo model' },
    { command: 'neox run -m model.gguf --temperature 0.8 --top-p 0.9 -n 128 "こんにちは"' },
    { command: 'neox run -m model.gguf --raw "吾輩は猫である。"', note: 'continue a text' },
    { command: 'neox run --json -f prompt.txt', note: 'for programs' },
  ],

  async run(args, options, io) {
    if (options.logprobs !== undefined && !options.json) throw new UsageError('--logprobs needs --json.');
    const isSeveral = (options.numReturnSequences ?? 1) > 1;
    if (isSeveral && options.session !== undefined)
      throw new UsageError('--session is for one answer, not for --num-return-sequences.');
    const prompt = await readInput(args, io, 'prompt', options.file);
    const model = await loadModel(options, io, roomFor(options));
    const loadedAt = performance.now();
    try {
      const session =
        options.session === undefined ? undefined : await openSession(model, options.session, {}, io);
      const [answer, exitCode] = await io.interrupts.during(async (signal) => [
        await readAnswer(
          start(model, session ?? model, prompt, options),
          io,
          signal,
          options.json || isSeveral,
        ),
        interruptedBy(signal)?.exitCode ?? EXIT.ok,
      ]);
      if (options.json) await io.out.json(report(answer, loadedAt));
      else if (isSeveral) await writeSequences(answer.sequences, io);
      // performance.now() counts from the start of the process, and so does this line's first token.
      if (!options.quiet) await io.err.line(`neox: ${statistics(answer, 0)}`, 'dim');
      if (session) await saveSession(session, options.session, io);
      return exitCode;
    } finally {
      await model.dispose();
    }
  },
};

function start(model: Model, from: Model | Session, prompt: string, options: Options): Generation {
  const { system, logprobs, numReturnSequences } = options;
  const raw = options.raw ?? model.chatFormat === undefined;
  if (raw && system !== undefined) throw new UsageError('--system needs a model with a chat format.');
  const text = options.text ?? (raw ? 'continuation' : 'decode');
  const settings = {
    ...generateOptions(options),
    text,
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(numReturnSequences === undefined ? {} : { numReturnSequences }),
  };
  if (raw) return from.generate(prompt, settings);
  const messages: Message[] = [{ role: 'user', content: prompt }];
  if (system !== undefined) messages.unshift({ role: 'system', content: system });
  return from.chat(messages, settings);
}

function report(answer: Answer, loadedAt: number): object {
  const { sequences, usage, timings, seed, firstAt } = answer;
  const reports = sequences.map(reportSequence);
  return {
    ...reports[0],
    ...(reports.length > 1 ? { sequences: reports } : {}),
    usage,
    timings: { ...timings, loadMs: loadedAt, timeToFirstTokenMs: firstAt ?? null },
    seed,
  };
}

function reportSequence({ text, tokenIds, tokens, finishReason, score }: SequenceResult): object {
  const hasLogprobs = tokens.some((token) => token.logprob !== undefined);
  return {
    text,
    tokenIds,
    ...(hasLogprobs ? { tokens } : {}),
    finishReason,
    ...(score === undefined ? {} : { score }),
  };
}
