// Reads what the loader of macOS reads of a 64-bit library. Layouts: mach-o/loader.h and mach-o/nlist.h.

import { bindings, uleb } from './dyld_info.mjs';
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

/** The commands to the loader: what each is, and where. */
export function commandsOf(bytes) {
  const commands = [];
  for (let at = 32, left = bytes.readUInt32LE(16); left > 0; left -= 1, at += bytes.readUInt32LE(at + 4))
    commands.push({ id: bytes.readUInt32LE(at), at });
  return commands;
}

/** @throws RangeError for a file that is cut off */
export function readMacho(bytes) {
  const u32 = (at) => bytes.readUInt32LE(at);
  const commands = commandsOf(bytes);
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
  const bound = (at) => [...bindings(bytes, u32(info + at), u32(info + at + 4))];
  const programs = info === undefined ? [] : [16, 32].flatMap(bound);
  const place = ({ segment, offset }) => `${segment}:${offset}`;
  const imported = new Set(programs.map(place));
  const isOwn = (binding) => !imported.has(place(binding));
  for (const { name, isAnywhere } of programs) {
    if (isAnywhere) fromProcess.add(name.slice(1));
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
    exported: exported.map((each) => each.name),
    // The first library of the process that has such a symbol gives its own to all. What is another's anyway, such as the
    // system's operator new, Apple's linker lists there, too.
    shared:
      info === undefined
        ? []
        : bound(24)
            .filter(isOwn)
            .map((each) => each.name.slice(1)),
    fromProcess: [...fromProcess],
    runPaths: every(COMMANDS.runPath).map(name),
    oldestMacos: `${version >>> 16}.${(version >>> 8) & 0xff}`,
    isSigned: every(COMMANDS.signature).length > 0,
  };
}

/**
 * The exported names, each with its entry: an address, as the loader reads it. They are in a trie, of which a node is the size
 * of its own entry, that entry, the count of its children, and for each the next letters and the place of its node.
 */
export function exportsOf(bytes, offset, size) {
  const found = [];
  const visit = (node, prefix) => {
    let [own, at] = uleb(bytes, offset + node);
    if (own > 0) found.push({ name: prefix.slice(1), entry: bytes.subarray(at, at + own) });
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
