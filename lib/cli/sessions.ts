// The file of `--session`: a conversation that goes on from one run of the program to the next.

import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Model, OverflowOptions, Session } from '../index.js';
import type { OptionSpec } from './command.js';
import type { Io } from './io.js';
import { withProgress } from './progress.js';

export const sessionOption: OptionSpec = {
  flags: '--session <file>',
  help: 'go on with the session in this file, and save it there at the end',
  defaultText: 'a new one, not saved',
};

/** The session that `path` holds, computed again where precision or KV type are others now, else an empty one. */
export async function openSession(
  model: Model,
  path: string | undefined,
  overflow: OverflowOptions,
  io: Io,
): Promise<Session> {
  if (path === undefined) return model.createSession(overflow);
  if (!existsSync(path)) {
    accessSync(dirname(path), constants.W_OK); // rather now than when all has been said
    return model.createSession(overflow);
  }
  return io.interrupts.during((signal) =>
    withProgress(io, 'restoring the session', (onProgress) =>
      model.restoreSession(path, { ...overflow, recompute: true, onProgress, signal }),
    ),
  );
}

export async function saveSession(session: Session, path: string | undefined, io: Io): Promise<void> {
  if (path === undefined) return;
  await withProgress(io, 'saving the session', (onProgress) => session.save(path, { onProgress }));
}
