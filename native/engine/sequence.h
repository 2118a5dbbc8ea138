// A list of tokens with its KV blocks: what a session is, and what a call without a session makes for itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/sequence_rows.h"
#include "model/kv_pool.h"

namespace neox {

// One part of a prompt: ids, or a block of embedding vectors.
struct PromptPart {
    std::vector<Token> ids;
    std::vector<float> embeddings;  // [n, n_embd], row-major
};

// Guarded by the engine's mutex. Everything that was fed is kept, ids and embeddings and the phase of each row, so that an
// evicted sequence can recompute its blocks with the arithmetic that each row had first.
class Sequence {
public:
    Sequence(std::shared_ptr<KvPool> pool, std::int32_t n_embd, SequenceRows rows = {})
        : table(std::move(pool)), n_embd_(n_embd), rows_(std::move(rows)) {}

    const SequenceRows& rows() const { return rows_; }
    std::int32_t n_embd() const { return n_embd_; }
    std::int64_t length() const { return rows_.length(); }
    std::span<const Token> tokens() const { return rows_.tokens; }
    RowPhase phase(std::int64_t pos) const { return rows_.phases[static_cast<std::size_t>(pos)]; }
    // The length that dynamic RoPE scaling takes for this row: of a row of a prompt where that prompt ended when it was
    // appended, of a sampled token pos + 1. Neither chunks, eviction nor truncation change it.
    std::int32_t rope_length(std::int64_t pos) const;
    // nullptr for a row that is a token.
    const float* embedding(std::int64_t pos) const;
    bool has_embeddings() const { return !rows_.embedding_positions.empty(); }

    // Room for a prompt and for n_positions rows in all, so that appending them allocates nothing.
    void reserve(const std::vector<PromptPart>& prompt, std::int64_t n_positions);
    // One prompt, whole.
    void append(const std::vector<PromptPart>& prompt);
    void append_sampled(Token token);
    void truncate(std::int64_t n_positions);
    // How many rows the sequence and a prompt begin with alike: the same tokens, embeddings of the same values.
    std::int64_t common_prefix(const std::vector<PromptPart>& prompt) const;
    // Takes rows [begin, begin + n) out, and those behind them move down; the KV cache is the caller's care. Rows before
    // `begin` keep their rope_length, unless they are of a prompt that was appended at `first_new` and not computed yet.
    void drop(std::int64_t begin, std::int64_t n, std::int64_t first_new);
    // The same, and what is behind becomes one prompt, to be computed anew.
    void drop_and_restart(std::int64_t begin, std::int64_t n, std::int64_t first_new);
    // The position by which draws are keyed: no two tokens of a sequence have the same.
    std::int64_t draw_position(std::int64_t pos) const { return pos + rows_.n_dropped; }
    // Gives its blocks back; they are recomputed when it runs next.
    void evict();
    Sequence fork(std::int64_t n_positions) const;

    BlockTable table;
    std::int64_t n_cached = 0;    // positions whose KV entries are valid
    std::uint64_t last_used = 0;  // a tick of the engine, for eviction
    bool busy = false;            // a call waits or runs on it: nobody else may change it
    bool running = false;         // its blocks may not be taken

private:
    void append(const PromptPart& part);

    std::int32_t n_embd_;
    SequenceRows rows_;
};

}  // namespace neox
