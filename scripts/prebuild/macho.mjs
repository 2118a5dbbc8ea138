// Reads what the loader of macOS reads of a 64-bit library. Layouts: mach-o/loader.h and mach-o/nlist.h.

import { cString } from './elf.mjs';

const MACHINES = { 16777223: 'x64', 16777228: 'arm64' };
const COMMANDS = {
  symbols: 0x2,
  library: 0xc,
  weakLibrary: 0x80000018,
  reexport: 0x8000001f,
  runPath: 0x8000001c,
  signature: 0x1d,
  oldestMacos: 0x24,
  build: 0x32,
  dyldInfo: 0x22,
  dyldInfoOnly: 0x80000022,
  exportsTrie: 0x80000033,
};
const ANY_LIBRARY = 0xfe; // of an undefined symbol: the process has it
// Instructions for binding, in the upper half of a byte, and how many numbers follow each.
const BIND = { library: 0x10, longLibrary: 0x20, special: 0x30, name: 0x40, bind: 0x90, bindTimes: 0xc0 };
const NUMBERS_AFTER = { 32: 1, 96: 1, 112: 1, 128: 1, 160: 1, 192: 2 };
const ANYWHERE = 0x0e; // -2 in four bits

/** @throws RangeError for a file that is cut off */
export function readMacho(bytes) {
  const u32 = (at) => bytes.readUInt32LE(at);
  const commands = [];
  for (let at = 32, left = u32(16); left > 0; left -= 1, at += u32(at + 4))
    commands.push({ id: u32(at), at });
  const every = (...ids) => commands.filter((each) => ids.includes(each.id)).map((each) => each.at);

  const [build] = every(COMMANDS.build);
  const [oldest] = every(COMMANDS.oldestMacos);
  const version = build === undefined ? (oldest === undefined ? 0 : u32(oldest + 8)) : u32(build + 12);

  const [trie] = every(COMMANDS.exportsTrie);
  const [info] = every(COMMANDS.dyldInfo, COMMANDS.dyldInfoOnly);
  const exported =
    trie !== undefined
      ? exportsOf(bytes, u32(trie + 8), u32(trie + 12))
      : info !== undefined
        ? exportsOf(bytes, u32(info + 40), u32(info + 44))
        : [];

  // The loader goes by the instructions for binding, the names' table is for other programs: linkers differ in what they
  // write into it.
  const fromProcess = new Set();
  if (info !== undefined) {
    for (const at of [16, 24, 32]) boundToProcess(bytes, u32(info + at), u32(info + at + 4), fromProcess);
  }
  for (const at of every(COMMANDS.symbols)) {
    const [symbols, count, strings] = [u32(at + 8), u32(at + 12), u32(at + 16)];
    for (let from = symbols; from < symbols + count * 16; from += 16) {
      const isUndefined = (bytes[from + 4] & 0xe0) === 0 && (bytes[from + 4] & 0x0e) === 0;
      if (isUndefined && bytes[from + 7] === ANY_LIBRARY) {
        fromProcess.add(cString(bytes, strings + u32(from)).slice(1));
      }
    }
  }
  const name = (at) => cString(bytes, at + u32(at + 8));
  return {
    format: 'Mach-O',
    machine: MACHINES[u32(4)] ?? `machine ${u32(4)}`,
    needed: every(COMMANDS.library, COMMANDS.weakLibrary, COMMANDS.reexport).map(name),
    exported,
    fromProcess: [...fromProcess],
    runPaths: every(COMMANDS.runPath).map(name),
    oldestMacos: `${version >>> 16}.${(version >>> 8) & 0xff}`,
    isSigned: every(COMMANDS.signature).length > 0,
  };
}

function uleb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

// Adds the names that instructions for binding look for in the whole process.
function boundToProcess(bytes, offset, size, names) {
  let name = '';
  let isAnywhere = false;
  for (let at = offset; at < offset + size; ) {
    const [code, operand] = [bytes[at] & 0xf0, bytes[at] & 0x0f];
    at += 1;
    if (code === BIND.library || code === BIND.longLibrary) isAnywhere = false;
    if (code === BIND.special) isAnywhere = operand === ANYWHERE;
    if (code === BIND.name) {
      name = cString(bytes, at);
      at += name.length + 1;
    }
    if (code >= BIND.bind && code <= BIND.bindTimes && isAnywhere) names.add(name.slice(1));
    for (let left = NUMBERS_AFTER[code] ?? 0; left > 0; left -= 1) [, at] = uleb(bytes, at);
  }
}

// A trie of names: a node is its own entry's size, that entry, the count of children, and for each the next letters and
// the place of its node.
function exportsOf(bytes, offset, size) {
  const found = [];
  const visit = (node, prefix) => {
    let [own, at] = uleb(bytes, offset + node);
    if (own > 0) found.push(prefix.slice(1));
    at += own;
    for (let left = bytes[at++]; left > 0; left -= 1) {
      const letters = cString(bytes, at);
      const [next, after] = uleb(bytes, at + letters.length + 1);
      visit(next, prefix + letters);
      at = after;
    }
  };
  if (size > 0) visit(0, '');
  return found;
}
