// How a command ends: the exit codes, and one line for every error.

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  file: 3,
  capacity: 4,
  machine: 5,
  network: 6,
  slower: 7,
  interrupted: 130,
} as const;

/** For help and docs. */
export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failed, 'failed while running'],
  [EXIT.usage, 'wrong usage: an unknown flag, an option of the wrong type or out of range'],
  [EXIT.file, 'a model or another file is missing, broken, unsupported or cannot be written'],
  [EXIT.capacity, 'does not fit: memory, the context length or the KV cache'],
  [EXIT.machine, 'this machine cannot do it: no addon, instruction set, device or tool'],
  [EXIT.network, 'a hub or registry cannot be reached, refuses, or sends something else than it says'],
  [EXIT.slower, 'bench compare: a test is slower than --fail-if-slower allows'],
  [EXIT.interrupted, 'interrupted by Ctrl-C (129 by a hang-up, 143 by SIGTERM)'],
];

/** An error of the command line itself. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export class UsageError extends CliError {
  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.usage, message, options);
  }
}

const byCode: readonly (readonly [RegExp, number])[] = [
  [/^ERR_NEOX_INVALID_ARGUMENT$/, EXIT.usage],
  [/^ERR_NEOX_(FILE_NOT_FOUND|IO|FORMAT_\w+|UNSUPPORTED|NO_TOKENIZER|SESSION_MISMATCH)$/, EXIT.file],
  [/^ERR_NEOX_(OUT_OF_MEMORY|CONTEXT_FULL|KV_FULL)$/, EXIT.capacity],
  [/^ERR_NEOX_(ADDON|ISA|BACKEND)$/, EXIT.machine],
  [/^ERR_NEOX_(NETWORK|HUB|CHECKSUM)$/, EXIT.network],
  [/^E[A-Z0-9]+$/, EXIT.file], // Node's own, of the file system: ENOENT, EACCES
];

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  const code = codeOf(error);
  return byCode.find(([pattern]) => pattern.test(code))?.[1] ?? EXIT.failed;
}

/** One line, without the program's name. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const line = message.trim().replace(/\s*[\r\n]+\s*/g, ' ');
  return code === '' || line.includes(code) ? line : `${line} (${code})`;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
