// One checkpoint in the containers that people have, made from the committed files.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointPath } from './fixtures.js';

export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Writes a directory of `name` with config.json and the weights in `shardCount` safetensors files; 1 is model.safetensors. */
export function writeSafetensors(name: string, directory: string, shardCount: number): string {
  begin(name, directory);
  const tensors = readTensors(name);
  if (shardCount === 1) {
    writeFileSync(join(directory, 'model.safetensors'), safetensors(tensors));
    return directory;
  }
  const weightMap: Record<string, string> = {};
  for (let i = 0; i < shardCount; i++) {
    const file = `model-0000${i + 1}-of-0000${shardCount}.safetensors`;
    const part = tensors.filter((_, index) => index % shardCount === i);
    writeFileSync(join(directory, file), safetensors(part));
    for (const tensor of part) weightMap[tensor.name] = file;
  }
  const total = tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0);
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify(index));
  return directory;
}

/** Writes a directory of `name` with config.json and the committed pytorch_model.bin. */
export function writeTorch(name: string, directory: string): string {
  begin(name, directory);
  copyFileSync(containerPath(name, 'pytorch_model.bin'), join(directory, 'pytorch_model.bin'));
  return directory;
}

/** A committed file of the checkpoint in another container. */
export function containerPath(name: string, file: 'pytorch_model.bin' | 'llama-cpp.gguf'): string {
  return join(checkpointPath(name), 'containers', file);
}

function begin(name: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const file of ['config.json', 'generation_config.json']) {
    copyFileSync(join(checkpointPath(name), file), join(directory, file));
  }
}

function readTensors(name: string): StoredTensor[] {
  return readdirSync(checkpointPath(name))
    .filter((file) => /^model.*\.safetensors$/.test(file))
    .sort()
    .flatMap((file) => parse(readFileSync(join(checkpointPath(name), file))));
}

function parse(file: Buffer): StoredTensor[] {
  const data = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, data)) as Record<string, Entry>;
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [start, end],
        },
      ]) => {
        return { name, dtype, shape, bytes: file.subarray(data + start, data + end) };
      },
    );
}

/** A file of these tensors. */
export function safetensors(tensors: readonly StoredTensor[]): Buffer {
  const header: Record<string, Entry | Record<string, string>> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...tensors.map((tensor) => tensor.bytes)]);
}
