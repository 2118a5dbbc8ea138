// Native jobs as promises, with progress and an AbortSignal.

import { fromNative } from './errors.js';
import type { NativeJob, NativeProgress } from './native.js';
import type { Progress } from './types.js';
import { assertFunction, assertSignal } from './validate.js';

/** Of long work. */
export interface JobOptions {
  /** Called from time to time; what it throws ends the job. */
  onProgress?: (progress: Progress) => void;
  /** Ends the job; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal;
}

export const JOB_OPTIONS = ['onProgress', 'signal'];

/** @throws ArgumentError */
export function checkJobOptions(options: JobOptions): void {
  if (options.onProgress !== undefined) assertFunction('onProgress', options.onProgress);
  if (options.signal !== undefined) assertSignal('signal', options.signal);
}

/**
 * Starts a job and waits for its end, also when it was cancelled: nothing of it runs on.
 * @param discard - what becomes of a result that comes although the job was cancelled
 */
export async function runJob<T>(
  start: (onProgress?: NativeProgress) => NativeJob<T>,
  { onProgress, signal }: JobOptions,
  discard?: (value: T) => Promise<void>,
): Promise<T> {
  signal?.throwIfAborted();
  let failure: { error: unknown } | undefined;
  const cancel = (error: unknown): void => {
    failure ??= { error };
    job.cancel();
  };
  const report: NativeProgress = (done, total) => {
    try {
      onProgress?.({ done, total });
    } catch (error) {
      cancel(error);
    }
  };
  const onAbort = (): void => cancel(signal?.reason);
  let job: NativeJob<T>;
  try {
    job = start(onProgress && report);
  } catch (error) {
    throw fromNative(error);
  }
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const value = await job.promise;
    if (!failure) return value;
    await discard?.(value);
    throw failure.error;
  } catch (error) {
    throw failure ? failure.error : fromNative(error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
