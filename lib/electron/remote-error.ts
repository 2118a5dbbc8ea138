// Errors of the host, on the page's side.

import type { ErrorCode } from '../index.js';
import type { WireError } from './protocol.js';

/**
 * What the host's engine threw. Handle errors by `code`, which is that of the error there, and so is `name`; messages are for people,
 * may change, and may name files.
 */
export class RemoteError extends Error {
  /** Stable, of a closed list. */
  readonly code: ErrorCode;

  /** @internal */
  constructor({ code, message, name }: WireError) {
    super(message);
    this.code = code;
    this.name = name;
  }
}

/** The host is gone, or this side has closed the port. */
export function connectionClosed(): RemoteError {
  return new RemoteError({
    code: 'ERR_NEOX_DISPOSED',
    name: 'DisposedError',
    message: 'The connection to the host of the models is closed.',
  });
}

/** Something in a request is no data: a function, for example. */
export function cannotCross(error: unknown): RemoteError {
  return new RemoteError({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    name: 'ArgumentError',
    message: `A request must be data: ${error instanceof Error ? error.message : String(error)}`,
  });
}
