// What `neox inspect` says of devices: what there is, and what of a model fits on a GPU.

import { isAbsolute } from 'node:path';
import { type DeviceInfo, type ModelInspection, type ModelMemory, systemInfo } from '../index.js';
import type { Io } from './io.js';
import { bytes } from './values.js';

/** Whether there is a library for GPUs, working or not: a machine without one need not be told so each time. */
export function hasCudaLibrary(): boolean {
  return isAbsolute(systemInfo().cuda);
}

export async function printDevices(devices: readonly DeviceInfo[], { out }: Io): Promise<void> {
  await out.table(
    ['device', 'usable', 'name', 'memory', 'driver'],
    devices.map(({ device, isUsable, name = '-', totalBytes, freeBytes, driver = '-' }) => [
      device,
      isUsable ? 'yes' : 'no',
      name,
      totalBytes === undefined ? '-' : `${bytes(freeBytes ?? 0)} of ${bytes(totalBytes)} free`,
      driver,
    ]),
  );
  for (const { device, reason, library } of devices) {
    if (library !== undefined) await out.line(`${device}: ${library}`);
    if (reason !== undefined) await out.line(`${device}: ${reason}`);
  }
}

export function memoryRows(memory: ModelMemory): string[][] {
  return [
    ['weights', bytes(memory.weightsBytes)],
    ['KV cache', bytes(memory.kvCacheBytes)],
    ['work', bytes(memory.scratchBytes)],
    ['in all', bytes(total(memory))],
  ];
}

/** `on NVIDIA H200 | all of 36 layers: 4.1 GiB, 138.9 GiB free`, or why there is nothing of it. */
export function gpuRows({ gpu, gpuNote, config }: ModelInspection): string[][] {
  if (gpu === undefined) return gpuNote !== undefined && hasCudaLibrary() ? [['on a GPU', gpuNote]] : [];
  const { gpuLayers, name, freeBytes, layersMemory } = gpu;
  const layers = config.numHiddenLayers;
  const free = gpu.totalBytes > 0 ? `${bytes(freeBytes)} free` : 'free memory not told';
  const share =
    gpuLayers === layers ? `all of ${layers} layers` : `the last ${gpuLayers} of ${layers} layers`;
  const fits = gpuLayers === 0 ? 'not even one layer fits' : `${share}: ${bytes(total(layersMemory))}`;
  return [[`on ${name}`, `${fits}, ${free}`]];
}

function total({ weightsBytes, kvCacheBytes, scratchBytes }: ModelMemory): number {
  return weightsBytes + kvCacheBytes + scratchBytes;
}
