// What a library for macOS tells its loader in small programs: the places of addresses that move with the library, and the
// places that get the addresses of symbols. Layouts: mach-o/loader.h.

import { cString } from './elf.mjs';

const POINTER = 8;
const ANYWHERE = 0x0e; // library -2 in four bits: whichever in the process has it

/** A number in groups of seven bits, and what follows it. @throws RangeError where the bytes end before */
export function uleb(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n, at += 1) {
    if (at >= bytes.length) throw new RangeError('The file is cut off.');
    value |= BigInt(bytes[at] & 0x7f) << shift;
    // Steps backwards are written as very large numbers.
    if (bytes[at] < 0x80) return [Number(BigInt.asIntN(64, value)), at + 1];
  }
}

function unknown(code) {
  return new RangeError(`The loader's instruction 0x${code.toString(16)} is not known here.`);
}

/**
 * A symbol's `name`, whether any library of the process may have it, and the place: `segment` and `offset` in it.
 * @throws RangeError for what is cut off or not known
 */
export function* bindings(bytes, start, size) {
  let [name, isAnywhere, segment, offset] = ['', false, 0, 0];
  for (let at = start; at < start + size; ) {
    const [code, operand] = [bytes[at] & 0xf0, bytes[at] & 0x0f];
    at += 1;
    if (code > 0xc0) throw unknown(code);
    const number = () => {
      const [value, next] = uleb(bytes, at);
      at = next;
      return value;
    };
    const one = () => ({ name, isAnywhere, segment, offset });
    if (code === 0x10) isAnywhere = false;
    if (code === 0x20) isAnywhere = number() < 0;
    if (code === 0x30) isAnywhere = operand === ANYWHERE;
    if (code === 0x40) {
      name = cString(bytes, at);
      at += name.length + 1;
    }
    if (code === 0x60) number();
    if (code === 0x70) [segment, offset] = [operand, number()];
    if (code === 0x80) offset += number();
    if (code === 0x90 || code === 0xa0 || code === 0xb0) {
      yield one();
      offset += POINTER + (code === 0xa0 ? number() : code === 0xb0 ? operand * POINTER : 0);
    }
    if (code === 0xc0) {
      const [times, skipped] = [number(), number()];
      for (let left = times; left > 0; left -= 1, offset += POINTER + skipped) yield one();
    }
  }
}

/** The places of addresses that move with the library. @throws RangeError as above */
export function* rebases(bytes, start, size) {
  let [segment, offset] = [0, 0];
  for (let at = start; at < start + size; ) {
    const [code, operand] = [bytes[at] & 0xf0, bytes[at] & 0x0f];
    at += 1;
    const number = () => {
      const [value, next] = uleb(bytes, at);
      at = next;
      return value;
    };
    if (code > 0x80) throw unknown(code);
    if (code === 0x00) return;
    if (code === 0x20) [segment, offset] = [operand, number()];
    if (code === 0x30) offset += number();
    if (code === 0x40) offset += operand * POINTER;
    const times = code === 0x50 ? operand : code === 0x60 || code === 0x80 ? number() : code === 0x70 ? 1 : 0;
    const skipped = code === 0x70 || code === 0x80 ? number() : 0;
    for (let left = times; left > 0; left -= 1, offset += POINTER + skipped) yield { segment, offset };
  }
}
