// The tables of a small DLL for 64-bit Windows, as far as its loader reads names.

const OPTIONAL_HEADER = 0x58;
const SECTION = { address: 0x1000, offset: 0x200, size: 0xe00 };
const ENTRY_POINTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** A DLL that exports Node-API's entry points and imports from those libraries, at once and late. */
export function peWith({ imports, delayed }: { imports: string[]; delayed: string[] }): Buffer {
  const bytes = Buffer.alloc(SECTION.offset + SECTION.size);
  bytes.write('MZ');
  bytes.writeUInt32LE(0x40, 0x3c);
  bytes.write('PE', 0x40);
  bytes.writeUInt16LE(0x8664, 0x44);
  bytes.writeUInt16LE(1, 0x46); // sections
  bytes.writeUInt16LE(240, 0x54); // size of the optional header
  const header = OPTIONAL_HEADER + 240;
  bytes.writeUInt32LE(SECTION.size, header + 8);
  bytes.writeUInt32LE(SECTION.address, header + 12);
  bytes.writeUInt32LE(SECTION.size, header + 16);
  bytes.writeUInt32LE(SECTION.offset, header + 20);

  let end = 0; // of what the section holds
  const take = (size: number) => {
    end += size;
    return end - size;
  };
  const set = (at: number, value: number) => bytes.writeUInt32LE(value, SECTION.offset + at);
  const name = (text: string) => {
    const at = take(text.length + 1);
    bytes.write(text, SECTION.offset + at);
    return SECTION.address + at;
  };
  const directory = (index: number, at: number) =>
    bytes.writeUInt32LE(SECTION.address + at, OPTIONAL_HEADER + 112 + index * 8);
  // Each with an entry of zeros at its end.
  const libraries = (index: number, names: string[], size: number, nameAt: number) => {
    const table = take(size * (names.length + 1));
    directory(index, table);
    for (const [place, each] of names.entries()) set(table + place * size + nameAt, name(each));
  };

  const exported = take(40);
  const list = take(4 * ENTRY_POINTS.length);
  directory(0, exported);
  set(exported + 24, ENTRY_POINTS.length);
  set(exported + 32, SECTION.address + list);
  for (const [place, each] of ENTRY_POINTS.entries()) set(list + place * 4, name(each));
  libraries(1, imports, 20, 12);
  libraries(13, delayed, 32, 4);
  return bytes;
}
