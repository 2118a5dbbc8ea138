// The tables of a small library for macOS on 64-bit ARM, as far as its loader reads names.

import { createHash } from 'node:crypto';

const ENTRY_POINTS = ['_napi_register_module_v1', '_node_api_module_get_api_version_v1'];

interface Library {
  exported?: string[];
  /** Names that are looked for in the whole process. */
  fromProcess?: string[];
  /** Names that are looked for in the first library. */
  fromLibrary?: string[];
  /** Names that are looked for in the first library, unless one before has them. */
  importedWeakly?: string[];
  /** Names of the library's own that another library's may stand for. */
  shared?: string[];
  /** Whether the place of a shared one holds the library's own until then. */
  hasOwn?: boolean;
  library?: string;
  oldest?: [number, number];
  isSigned?: boolean;
}

/** A library that exports Node-API's entry points and asks for the given ones. */
export function machoWith({
  exported = [],
  fromProcess = [],
  fromLibrary = [],
  importedWeakly = [],
  shared = [],
  hasOwn = true,
  library = '/usr/lib/libSystem.B.dylib',
  oldest = [11, 0],
  isSigned = true,
}: Library): Buffer {
  // Eight places from 0x90 on of segment 2, after a step of 8 from 0x88 where there are more.
  const rebase = [0x11, 0x22, 0x88, 0x01, 0x41, hasOwn ? 0x58 : 0x51, 0x00];
  const imports = importedWeakly.flatMap((name) => [...named(name), 0x72, 0x88, 0x03, 0x90]);
  const bind = [
    0x11, // of library 1
    ...fromLibrary.flatMap((name) => [...named(name), 0x72, 0xff, 0x01, 0x90]),
    ...imports,
    0x3e, // of any
    ...fromProcess.flatMap((name) => [...named(name), 0x72, 0x80, 0x02, 0x90, 0xc0, 0x02, 0x08]),
    0x00,
  ];
  const own = shared.flatMap((name) => [...named(name), 0x72, 0x98, 0x01, 0xb1, 0x90]);
  const weak = [...own, ...imports, 0];
  const trie = [...trieOf([...ENTRY_POINTS, ...exported])];
  const path = Buffer.from(`${library}\0`.padEnd(Math.ceil((library.length + 1) / 8) * 8, '\0'));
  const info = Buffer.alloc(48);
  const signature = Buffer.alloc(isSigned ? 16 : 0);
  const commands = [
    info,
    Buffer.concat([words(0xc, 24 + path.length, 24, 0, 0, 0), path]),
    words(0x32, 24, 1, (oldest[0] << 16) | (oldest[1] << 8), 0, 0),
    ...(isSigned ? [signature] : []),
  ];
  const size = commands.reduce((sum, each) => sum + each.length, 0);
  let end = 32 + size;
  const parts = [rebase, bind, weak, [], trie].map((part) => {
    end += part.length;
    return [end - part.length, part.length];
  });
  words(0x80000022, 48, ...parts.flat()).copy(info);
  if (isSigned) words(0x1d, 16, end, 0).copy(signature);
  const header = words(0xfeedfacf, 0x0100000c, 0, 6, commands.length, size, 0x18000, 0);
  const tables = Buffer.from([...rebase, ...bind, ...weak, ...trie]);
  const bytes = Buffer.concat([header, ...commands, tables]);
  return isSigned ? Buffer.concat([bytes, signatureOf(bytes)]) : bytes;
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

// Of pages of 256 bytes, which makes several of a small file.
function signatureOf(bytes: Buffer): Buffer {
  const count = Math.ceil(bytes.length / 256);
  const directory = Buffer.alloc(44);
  const fields = [0xfade0c02, 44 + 32 * count, 0x20400, 2, 44, 0, 0, count, bytes.length];
  for (const [index, value] of fields.entries()) directory.writeUInt32BE(value, 4 * index);
  directory.set([32, 2, 0, 8], 36);
  const pages = Array.from({ length: count }, (_, index) => bytes.subarray(256 * index, 256 * index + 256));
  const hashes = pages.map((page) => createHash('sha256').update(page).digest());
  const head = Buffer.alloc(20);
  const blob = [0xfade0cc0, 20 + 44 + 32 * count, 1, 0, 20];
  for (const [index, value] of blob.entries()) head.writeUInt32BE(value, 4 * index);
  return Buffer.concat([head, directory, ...hashes]);
}
