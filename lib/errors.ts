// The errors of the package: one base class with a stable `code`, and a subclass where a caller would act differently.

/** The codes of the native core, in the order of native/base/error.h. */
export const ERROR_CODES = [
  'ERR_NEOX_INVALID_ARGUMENT',
  'ERR_NEOX_FILE_NOT_FOUND',
  'ERR_NEOX_IO',
  'ERR_NEOX_FORMAT_MAGIC',
  'ERR_NEOX_FORMAT_VERSION',
  'ERR_NEOX_FORMAT_TRUNCATED',
  'ERR_NEOX_FORMAT_OVERFLOW',
  'ERR_NEOX_FORMAT_LIMIT',
  'ERR_NEOX_FORMAT_DUPLICATE',
  'ERR_NEOX_FORMAT_OFFSET',
  'ERR_NEOX_FORMAT_TYPE',
  'ERR_NEOX_FORMAT_SHAPE',
  'ERR_NEOX_FORMAT_VALUE',
  'ERR_NEOX_FORMAT_MISSING',
  'ERR_NEOX_FORMAT_SYNTAX',
  'ERR_NEOX_UNSUPPORTED',
  'ERR_NEOX_NO_TOKENIZER',
  'ERR_NEOX_OUT_OF_MEMORY',
  'ERR_NEOX_CONTEXT_FULL',
  'ERR_NEOX_KV_FULL',
  'ERR_NEOX_SESSION_MISMATCH',
  'ERR_NEOX_NAN',
  'ERR_NEOX_BUSY',
  'ERR_NEOX_DISPOSED',
  'ERR_NEOX_CANCELLED',
  'ERR_NEOX_ISA',
  'ERR_NEOX_BACKEND',
  'ERR_NEOX_INTERNAL',
] as const;

/** Of {@link HubError}: no connection, a server that refuses or lies, a file that did not arrive as it was sent. */
export type HubErrorCode = 'ERR_NEOX_NETWORK' | 'ERR_NEOX_HUB' | 'ERR_NEOX_CHECKSUM';

/** Every code that an error of this package can have; `ERR_NEOX_ADDON` is a native addon that cannot be loaded. */
export type ErrorCode = (typeof ERROR_CODES)[number] | 'ERR_NEOX_ADDON' | HubErrorCode;

/** Base of all errors of the package. Handle errors by `code`; messages are for people and may change. */
export class NeoxError extends Error {
  /** Says what went wrong; it never changes. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The class's. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** The native addon is missing or cannot be loaded on this machine. */
export class LoadError extends NeoxError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NEOX_ADDON', message, options);
  }
}

/** A model or tokenizer file that is not what it must be; the code says in which way. */
export class FormatError extends NeoxError {}

/** A prompt and its output do not fit: into the context (`ERR_NEOX_CONTEXT_FULL`) or the KV pool (`ERR_NEOX_KV_FULL`). */
export class ContextFullError extends NeoxError {}

/** A repository could not be fetched. */
export class HubError extends NeoxError {
  constructor(code: HubErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** The model, session or tokenizer was disposed, or its model was. */
export class DisposedError extends NeoxError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NEOX_DISPOSED', message, options);
  }
}

/** An option or argument of the wrong type or outside its range. */
export class ArgumentError extends NeoxError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NEOX_INVALID_ARGUMENT', message, options);
  }
}

const nativeCodes: ReadonlySet<unknown> = new Set(ERROR_CODES);

/** Builds the subclass that belongs to a code. */
export function createError(code: ErrorCode, message: string, options?: ErrorOptions): NeoxError {
  if (code.startsWith('ERR_NEOX_FORMAT_')) return new FormatError(code, message, options);
  switch (code) {
    case 'ERR_NEOX_INVALID_ARGUMENT':
      return new ArgumentError(message, options);
    case 'ERR_NEOX_DISPOSED':
      return new DisposedError(message, options);
    case 'ERR_NEOX_ADDON':
      return new LoadError(message, options);
    case 'ERR_NEOX_CONTEXT_FULL':
    case 'ERR_NEOX_KV_FULL':
      return new ContextFullError(code, message, options);
    default:
      return new NeoxError(code, message, options);
  }
}

/**
 * Turns what the addon threw into an error of this package; anything without one of its codes is returned as it is.
 * The original is kept as `cause`.
 */
export function fromNative(error: unknown): unknown {
  if (error instanceof NeoxError || typeof error !== 'object' || error === null) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (!nativeCodes.has(code)) return error;
  return createError(code as ErrorCode, typeof message === 'string' ? message : String(code), {
    cause: error,
  });
}
