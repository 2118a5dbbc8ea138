// Closes a library for macOS that zig's linker has made. In it virtual tables, ids of locales and `operator new` of the C++
// library inside would be bound to those of the system's, another release of it, as soon as it is loaded; and more is
// exported than the entry points. Afterwards it has its own of everything, and is signed anew.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { StepError } from '../steps.mjs';
import { bindings, rebases } from './dyld_info.mjs';
import { commandsOf, exportsOf } from './macho.mjs';

const FLAGS = { at: 24, weakDefines: 0x8000, bindsToWeak: 0x10000 };
const COMMANDS = { segment: 0x19, signature: 0x1d, dyldInfo: 0x80000022 };
const SHA256 = { type: 2, size: 32 };

/** Rewrites the file. @throws StepError for one that is made in another way than expected */
export function closeMacho(path, wanted) {
  const bytes = readFileSync(path);
  checkSignature(bytes); // so that a layout which is not understood is left alone
  const info = place(bytes, COMMANDS.dyldInfo);
  if (info === undefined) throw new StepError(`${path} has no table for its loader.`);
  bindToItself(bytes, info);
  exportOnly(bytes, info, wanted);
  for (const { hash, at } of pagesOf(bytes)) hash.copy(bytes, at);
  writeFileSync(path, bytes);
}

function place(bytes, id) {
  return commandsOf(bytes).find((command) => command.id === id)?.at;
}

const range = (bytes, at) => [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];

// Each place that a weak symbol would be bound to holds the address of the library's own meanwhile, and moves with it.
function bindToItself(bytes, info) {
  const key = ({ segment, offset }) => `${segment}:${offset}`;
  const moving = new Set([...rebases(bytes, ...range(bytes, info + 8))].map(key));
  const [weakly, size] = range(bytes, info + 24);
  for (const each of bindings(bytes, weakly, size)) {
    if (!moving.has(key(each)))
      throw new StepError(`${each.name} is bound weakly, and has no address of its own.`);
  }
  bytes.fill(0, weakly, weakly + size); // an empty program of the same length
  const flags = bytes.readUInt32LE(FLAGS.at);
  bytes.writeUInt32LE(flags & ~(FLAGS.weakDefines | FLAGS.bindsToWeak), FLAGS.at);
}

// Every name an edge of the root, with a leaf at its end.
function exportOnly(bytes, info, wanted) {
  const [start, size] = range(bytes, info + 40);
  const kept = exportsOf(bytes, start, size).filter(({ name }) => wanted.includes(name));
  if (kept.length !== wanted.length)
    throw new StepError(`The library does not export ${wanted.join(' and ')}.`);
  const leaves = kept.map(({ entry }) => Buffer.from([entry.length, ...entry, 0]));
  const names = kept.map(({ name }) => Buffer.from(`_${name}\0`));
  let at = 2 + names.reduce((sum, name) => sum + name.length + 2, 0);
  const edges = names.map((name, index) => {
    const edge = Buffer.from([...name, (at & 0x7f) | 0x80, at >> 7]);
    at += leaves[index].length;
    return edge;
  });
  const trie = Buffer.concat([Buffer.from([0, kept.length]), ...edges, ...leaves]);
  if (trie.length > size) throw new StepError('The table of exported names has no room.');
  bytes.fill(0, start, start + size);
  trie.copy(bytes, start);
}

/**
 * Compares the signature, which holds the hash of every page, with the bytes.
 * @throws StepError where they differ, and for a signature of a kind that is not known here
 */
export function checkSignature(bytes) {
  for (const { index, hash, at } of pagesOf(bytes)) {
    if (!hash.equals(bytes.subarray(at, at + SHA256.size))) {
      throw new StepError(`The signature does not fit page ${index}.`);
    }
  }
}

function* pagesOf(bytes) {
  const command = place(bytes, COMMANDS.signature);
  if (command === undefined) return;
  const blob = bytes.readUInt32LE(command + 8);
  const directory = blob + bytes.readUInt32BE(blob + 16); // the first part
  const u32 = (at) => bytes.readUInt32BE(directory + at);
  const isKnown =
    u32(0) === 0xfade0c02 && bytes[directory + 36] === SHA256.size && bytes[directory + 37] === SHA256.type;
  if (!isKnown) throw new StepError('The signature is of another kind than expected.');
  const [hashes, count, end, page] = [u32(16), u32(28), u32(32), 2 ** bytes[directory + 39]];
  for (let index = 0; index < count; index += 1) {
    const part = bytes.subarray(index * page, Math.min((index + 1) * page, end));
    const hash = createHash('sha256').update(part).digest();
    yield { index, hash, at: directory + hashes + index * SHA256.size };
  }
}
