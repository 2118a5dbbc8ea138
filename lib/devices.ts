// The devices that models can run on.

import { cudaOptions } from './cuda-library.js';
import { fromNative } from './errors.js';
import { native } from './native.js';

/** A device that a model may be loaded on, or why not. */
export interface DeviceInfo {
  /** As `Model.load` names it. */
  device: 'cpu' | 'cuda';
  /** Whether models can be loaded on it. */
  isUsable: boolean;
  /** Why not; absent where it can be used. */
  reason?: string;
  /** `NVIDIA H200`, ...; absent where there is none. */
  name?: string;
  /** Versions and architecture as the driver tells them; the instruction set of the CPU. */
  driver?: string;
  /** Of its own memory; absent where it is not known, or is the machine's. */
  totalBytes?: number;
  /** Of its own memory, now; absent as `totalBytes`. */
  freeBytes?: number;
  /** The file that drives it; absent for the CPU and where there is none. */
  library?: string;
}

/** Asks every device what it is. The first time, a GPU's driver takes up to seconds to answer. Never rejects for what a device says. */
export async function listDevices(): Promise<DeviceInfo[]> {
  const options = cudaOptions();
  try {
    const found = await native().listDevices(options);
    return found.map(({ device, isUsable, reason, name, driver, totalBytes, freeBytes }) => ({
      device: device as DeviceInfo['device'],
      isUsable,
      ...(reason ? { reason } : {}),
      ...(name ? { name } : {}),
      ...(driver ? { driver } : {}),
      ...(totalBytes > 0 ? { totalBytes, freeBytes } : {}),
      ...(device === 'cuda' && options.cudaLibrary !== undefined ? { library: options.cudaLibrary } : {}),
    }));
  } catch (error) {
    throw fromNative(error);
  }
}
