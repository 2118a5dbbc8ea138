// Reads what the loader of Linux reads of a shared library (64-bit, little-endian). Layouts: elf.h.

const TYPES = { load: 1, dynamic: 2 };
const TAGS = {
  needed: 1n,
  strings: 5n,
  symbols: 6n,
  runPath: 29n,
  oldRunPath: 15n,
  flags1: 0x6ffffffbn,
  versions: 0x6ffffffen,
  versionCount: 0x6fffffffn,
};
const NODELETE = 8n;
const MACHINES = { 62: 'x64', 183: 'arm64' };
const DYNAMIC_SYMBOLS = 11;

/** @throws RangeError for a file that is cut off */
export function readElf(bytes) {
  const u16 = (at) => bytes.readUInt16LE(at);
  const u32 = (at) => bytes.readUInt32LE(at);
  const u64 = (at) => bytes.readBigUInt64LE(at);
  const number = (at) => Number(u64(at));

  const segments = table(number(32), u16(54), u16(56), (at) => ({
    type: u32(at),
    offset: number(at + 8),
    address: number(at + 16),
    size: number(at + 32),
  }));
  const offsetOf = (address) => {
    const inside = (each) => address >= each.address && address < each.address + each.size;
    const segment = segments.find((each) => each.type === TYPES.load && inside(each));
    if (!segment) throw new RangeError(`no segment holds the address ${address}`);
    return segment.offset + address - segment.address;
  };
  const dynamic = segments.find((each) => each.type === TYPES.dynamic);
  const entries = table(dynamic.offset, 16, dynamic.size / 16, (at) => [u64(at), u64(at + 8)]);
  const all = (tag) => entries.filter(([key]) => key === tag).map(([, value]) => value);
  const place = (tag) => offsetOf(Number(all(tag)[0]));
  const strings = place(TAGS.strings);
  const text = (offset) => cString(bytes, strings + Number(offset));

  const versions = [];
  let at = all(TAGS.versions).length > 0 ? place(TAGS.versions) : 0;
  for (let left = Number(all(TAGS.versionCount)[0] ?? 0); left > 0; left -= 1) {
    let one = at + u32(at + 8);
    for (let count = u16(at + 2); count > 0; count -= 1) {
      versions.push(text(u32(one + 8)));
      one += u32(one + 12);
    }
    at += u32(at + 12);
  }

  const sections = table(number(40), u16(58), u16(60), (from) => ({
    type: u32(from + 4),
    offset: number(from + 24),
    size: number(from + 32),
  }));
  const symbols = sections.find((each) => each.type === DYNAMIC_SYMBOLS);
  const exported = table(symbols.offset, 24, symbols.size / 24, (from) => ({
    name: text(u32(from)),
    isDefined: u16(from + 6) !== 0,
    isLocal: bytes[from + 4] >> 4 === 0,
  })).filter((symbol) => symbol.isDefined && !symbol.isLocal);

  return {
    format: 'ELF',
    machine: MACHINES[u16(18)] ?? `machine ${u16(18)}`,
    needed: all(TAGS.needed).map(text),
    exported: exported.map((symbol) => symbol.name),
    versions: [...new Set(versions)],
    runPaths: [...all(TAGS.runPath), ...all(TAGS.oldRunPath)].map(text),
    staysLoaded: ((all(TAGS.flags1)[0] ?? 0n) & NODELETE) !== 0n,
  };
}

function table(offset, size, count, read) {
  return Array.from({ length: count }, (_, index) => read(offset + index * size));
}

/** The text from `at` to the next zero byte. */
export function cString(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
