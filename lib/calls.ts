// Waiting for a native call, and the calls that only read values off a prompt.

import { fromNative } from './errors.js';
import type { LoadedModel } from './loaded-model.js';
import { type NativeCall, type NativeDrained, type NativeRequest, nextWake } from './native.js';

/** The last of a call that was cancelled. */
export async function untilDone(call: NativeCall): Promise<NativeDrained> {
  for (;;) {
    const drained = call.drain();
    if (drained?.state === 'done') return drained;
    await nextWake();
  }
}

/**
 * Feeds a prompt for what its rows give; nothing is generated and nothing is kept.
 * @throws `signal.reason` after an abort, once the engine has let go
 */
export async function query(
  model: LoadedModel,
  request: NativeRequest,
  signal: AbortSignal | undefined,
): Promise<ReturnType<NativeCall['result']>> {
  signal?.throwIfAborted();
  const call = model.submit(request);
  const cancel = (): void => call.cancel('cancelled', 0);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const { error } = await untilDone(call);
    signal?.throwIfAborted();
    if (error) throw error;
    return call.result();
  } catch (error) {
    throw fromNative(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.release();
  }
}
