// Waiting for a native call, and the calls that only read values off a prompt.

import { fromNative } from './errors.js';
import type { LoadedModel } from './loaded-model.js';
import { type NativeCall, type NativeDrained, type NativeRequest, nextWake } from './native.js';

/** The last of a call that was cancelled. */
export async function untilDone(call: NativeCall): Promise<NativeDrained> {
  for (;;) {
    const drained = call.drain();
    if (drained.state === 'done') return drained;
    await nextWake();
  }
}

/** Feeds a prompt for what its rows give; nothing is generated and nothing is kept. */
export async function query(
  model: LoadedModel,
  request: NativeRequest,
): Promise<ReturnType<NativeCall['result']>> {
  const call = model.submit(request);
  try {
    const { error } = await untilDone(call);
    if (error) throw error;
    return call.result();
  } catch (error) {
    throw fromNative(error);
  } finally {
    call.release();
  }
}
