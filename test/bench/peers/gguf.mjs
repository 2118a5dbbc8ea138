// Reads the header of a GGUF file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { closeSync, openSync, readSync } from 'node:fs';

// Sizes in bytes of the types of values, by their numbers; strings (8) and arrays (9) have none.
const READERS = {
  0: (r) => r.take(1).readUInt8(),
  1: (r) => r.take(1).readInt8(),
  2: (r) => r.take(2).readUInt16LE(),
  3: (r) => r.take(2).readInt16LE(),
  4: (r) => r.take(4).readUInt32LE(),
  5: (r) => r.take(4).readInt32LE(),
  6: (r) => r.take(4).readFloatLE(),
  7: (r) => r.take(1).readUInt8() !== 0,
  8: (r) => r.take(r.size()).toString('utf8'),
  9: (r) => {
    const kind = r.take(4).readUInt32LE();
    const length = r.size();
    if (kind === 0) return r.take(length);
    return Array.from({ length }, () => READERS[kind](r));
  },
  10: (r) => Number(r.take(8).readBigUInt64LE()),
  11: (r) => Number(r.take(8).readBigInt64LE()),
  12: (r) => r.take(8).readDoubleLE(),
};

/** Types that a checkpoint can hold as they are: GGUF's number, safetensors' name, bytes of an element. */
const PLAIN = { 0: ['F32', 4], 1: ['F16', 2], 30: ['BF16', 2] };

/**
 * The metadata as a map and the tensors by name: `{ shape (outermost first), type, bytes, offset (in the file) }`.
 * @throws Error for a file that is none, or that holds quantized tensors
 */
export function readGguf(path) {
  const file = openSync(path, 'r');
  try {
    const r = reader(file);
    if (r.take(4).toString() !== 'GGUF') throw new Error(`${path} is no GGUF file.`);
    r.take(4);
    const [tensorCount, keyCount] = [r.size(), r.size()];
    const metadata = new Map();
    for (let i = 0; i < keyCount; i++) {
      const key = READERS[8](r);
      metadata.set(key, READERS[r.take(4).readUInt32LE()](r));
    }
    const tensors = new Map();
    for (let i = 0; i < tensorCount; i++) {
      const name = READERS[8](r);
      const shape = Array.from({ length: r.take(4).readUInt32LE() }, () => r.size()).reverse();
      const number = r.take(4).readUInt32LE();
      if (!PLAIN[number]) throw new Error(`${path}: ${name} is quantized.`);
      const [type, size] = PLAIN[number];
      tensors.set(name, {
        shape,
        type,
        bytes: size * shape.reduce((all, n) => all * n, 1),
        offset: r.size(),
      });
    }
    const alignment = metadata.get('general.alignment') ?? 32;
    const data = Math.ceil(r.position() / alignment) * alignment;
    for (const tensor of tensors.values()) tensor.offset += data;
    return { metadata, tensors };
  } finally {
    closeSync(file);
  }
}

function reader(file) {
  let at = 0;
  let buffer = Buffer.alloc(0);
  let begin = 0;
  const take = (count) => {
    if (at + count > begin + buffer.length) {
      buffer = Buffer.alloc(Math.max(count, 1 << 20));
      begin = at;
      const got = readSync(file, buffer, 0, buffer.length, at);
      if (got < count) throw new Error('a GGUF file ends within its header.');
      buffer = buffer.subarray(0, got);
    }
    at += count;
    return buffer.subarray(at - count - begin, at - begin);
  };
  return { take, size: () => Number(take(8).readBigUInt64LE()), position: () => at };
}
