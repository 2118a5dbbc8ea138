// The file of a saved session: what was fed, and the KV blocks that came of it, bound to the model and its settings.
//
// Little-endian, without padding:
//   SessionHeader                                       128 bytes
//   tokens                                              i32 [n_positions], -1 for a row given as an embedding
//   prompts                                             i64 [n_prompts, 2], begin and end
//   phases                                              u8 [n_positions], RowPhase
//   embeddings                                          f32 [n_embeddings, n_embd]
//   checksum of all before it                           u64
//   KV blocks of positions [0, 64 * n_blocks)           [n_blocks, block_bytes], as Backend::kv_read gives them
//   checksum of the blocks and of the checksum before   u64
// Checksums are Hash64: they find damage, not forgery. Positions beyond the blocks are computed again after restoring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/byte_source.h"
#include "base/hash.h"
#include "engine/sequence_rows.h"
#include "model/backend.h"
#include "model/config.h"

namespace neox {

// What KV entries depend on beside the rows. The instruction set is no part of it, nor is the device: entries that
// another one has computed are valid, and differ in the last bits at most.
struct SessionBinding {
    Config config;              // what the network computes with; names of tokens are not compared
    std::uint64_t weights = 0;  // Model::fingerprint
    Precision precision = Precision::exact;
    KvType kv_type = KvType::f32;
};

struct SessionFile {
    SessionBinding binding;
    SequenceRows rows;
    std::uint64_t n_blocks = 0;
    std::uint64_t block_bytes = 0;
    std::uint64_t blocks_offset = 0;  // of the first block in the file
    std::uint64_t checksum = 0;       // of what is before the blocks
};

inline constexpr std::int64_t kMostSavedPositions = std::int64_t{1} << 20;

// A pure function of the bytes, without reading the blocks: every size is that of the file, every value in its range, and
// the first checksum right. Throws ERR_NEOX_FORMAT_MAGIC, _VERSION, _TRUNCATED, _OVERFLOW, _LIMIT or _VALUE.
SessionFile parse_session(const ByteSource& source);

// Everything before the blocks.
std::vector<std::byte> write_session_head(const SessionBinding& binding, const SequenceRows& rows,
                                          std::uint64_t n_blocks, std::uint64_t block_bytes);

// Throws ERR_NEOX_SESSION_MISMATCH naming what differs. With `is_model_alone` precision and KV type may differ: the rows
// then mean the same, the blocks do not.
void check_binding(const SessionBinding& file, const SessionBinding& model, bool is_model_alone);

}  // namespace neox
