// Reads what the loader of 64-bit Windows reads of a DLL. Layouts: "PE Format" in Microsoft's documentation.

import { cString } from './elf.mjs';

const MACHINES = { 34404: 'x64', 43620: 'arm64' };
const DIRECTORIES = { exports: 0, imports: 1, delayedImports: 13 };

/** @throws RangeError for a file that is cut off */
export function readPe(bytes) {
  const u16 = (at) => bytes.readUInt16LE(at);
  const u32 = (at) => bytes.readUInt32LE(at);
  const header = u32(0x3c);
  const optional = header + 24;
  const firstSection = optional + u16(header + 20);
  const sections = Array.from({ length: u16(header + 6) }, (_, index) => {
    const at = firstSection + index * 40;
    return { address: u32(at + 12), size: Math.max(u32(at + 8), u32(at + 16)), offset: u32(at + 20) };
  });
  const offsetOf = (address) => {
    const section = sections.find((each) => address >= each.address && address < each.address + each.size);
    if (!section) throw new RangeError(`no section holds the address ${address}`);
    return section.offset + address - section.address;
  };
  const directory = (index) => u32(optional + 112 + index * 8);
  // Tables of libraries end with an entry of zeros.
  const libraries = (index, size, nameAt) => {
    const names = [];
    if (directory(index) === 0) return names;
    for (let at = offsetOf(directory(index)); u32(at + nameAt) !== 0; at += size) {
      names.push(cString(bytes, offsetOf(u32(at + nameAt))).toLowerCase());
    }
    return names;
  };
  const exported = [];
  if (directory(DIRECTORIES.exports) !== 0) {
    const table = offsetOf(directory(DIRECTORIES.exports));
    const names = offsetOf(u32(table + 32));
    for (let index = 0; index < u32(table + 24); index += 1) {
      exported.push(cString(bytes, offsetOf(u32(names + index * 4))));
    }
  }
  return {
    format: 'PE',
    machine: MACHINES[u16(header + 4)] ?? `machine ${u16(header + 4)}`,
    needed: libraries(DIRECTORIES.imports, 20, 12),
    delayed: libraries(DIRECTORIES.delayedImports, 32, 4),
    exported,
  };
}
