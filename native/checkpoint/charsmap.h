// The precompiled character map of a sentencepiece normalizer: u32 size of the trie in bytes, a double-array
// trie of u32 units whose leaves are offsets into the replacements, and the replacements, each ended by a
// NUL.
//
// A unit at index i that is no leaf (bit 31 clear) has a label (bits 0 to 7), a flag "a key ends here" (bit
// 8) and an offset (bits 10 on, times 256 when bit 9 is set). Its children are at (i ^ offset) ^ c, where c
// is the next byte and the child's label; the leaf of the key that ends at it is at i ^ offset.
#pragma once

#include <cstddef>
#include <span>

namespace neox {

// Throws ERR_NEOX_FORMAT_VALUE unless a search for any text stays within the array, finds at most 32 keys
// that are prefixes of one another (the library's buffer), terminates, and yields replacements of at most
// 1,024 bytes within the blob. `what` names the map in messages.
void validate_charsmap(std::span<const std::byte> blob, const char* what);

}  // namespace neox
