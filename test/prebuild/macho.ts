// The tables of a small library for macOS on 64-bit ARM, as far as its loader reads names.

const ENTRY_POINTS = ['_napi_register_module_v1', '_node_api_module_get_api_version_v1'];

interface Library {
  exported?: string[];
  /** Names that are looked for in the whole process. */
  fromProcess?: string[];
  /** Names that are looked for in the first library. */
  fromLibrary?: string[];
  library?: string;
  oldest?: [number, number];
  isSigned?: boolean;
}

/** A library that exports Node-API's entry points and asks for the given ones. */
export function machoWith({
  exported = [],
  fromProcess = [],
  fromLibrary = [],
  library = '/usr/lib/libSystem.B.dylib',
  oldest = [11, 0],
  isSigned = true,
}: Library): Buffer {
  const binds = [
    0x11, // of library 1
    ...fromLibrary.flatMap((name) => [...named(name), 0x72, 0xff, 0x01, 0x90]),
    0x3e, // of any
    ...fromProcess.flatMap((name) => [...named(name), 0x72, 0x80, 0x01, 0x90, 0xc0, 0x02, 0x08]),
    0x00,
  ];
  const trie = trieOf([...ENTRY_POINTS, ...exported]);
  const path = Buffer.from(`${library}\0`.padEnd(Math.ceil((library.length + 1) / 8) * 8, '\0'));
  const info = Buffer.alloc(48);
  const commands = [
    info,
    Buffer.concat([words(0xc, 24 + path.length, 24, 0, 0, 0), path]),
    words(0x32, 24, 1, (oldest[0] << 16) | (oldest[1] << 8), 0, 0),
    ...(isSigned ? [words(0x1d, 16, 0, 0)] : []),
  ];
  const size = commands.reduce((sum, each) => sum + each.length, 0);
  const at = 32 + size;
  words(0x80000022, 48, 0, 0, at, binds.length, 0, 0, 0, 0, at + binds.length, trie.length).copy(info);
  const header = words(0xfeedfacf, 0x0100000c, 0, 6, commands.length, size, 0, 0);
  return Buffer.concat([header, ...commands, Buffer.from(binds), trie]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * index);
  return bytes;
}

const named = (name: string): number[] => [0x40, ...Buffer.from(`${name}\0`)];

// Every name an edge of the root, with a leaf at its end; places are numbers of two bytes.
function trieOf(names: string[]): Buffer {
  const leaf = [0x02, 0x00, 0x01, 0x00]; // two bytes of its own, no children
  const root = 2 + names.reduce((sum, name) => sum + name.length + 3, 0);
  const edges = names.flatMap((name, index) => {
    const place = root + index * leaf.length;
    return [...Buffer.from(`${name}\0`), (place & 0x7f) | 0x80, place >> 7];
  });
  return Buffer.from([0, names.length, ...edges, ...names.flatMap(() => leaf)]);
}
