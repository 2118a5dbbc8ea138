// The pool of KV blocks: which are free, and how many block tables hold each. The memory itself is the backend's.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "model/backend.h"

namespace neox {

// Locks itself: a block table may die on any thread.
class KvPool {
public:
    explicit KvPool(std::int32_t n_blocks);

    std::int32_t capacity() const { return static_cast<std::int32_t>(references_.size()); }
    std::int32_t n_free() const;
    // Blocks [0, n_touched) hold every block that was ever allocated.
    std::int32_t n_touched() const;
    std::int32_t references(std::int32_t block) const;

    // A block with one reference, or ERR_NEOX_KV_FULL.
    std::int32_t allocate();
    void retain(std::int32_t block);
    void release(std::int32_t block);

private:
    mutable std::mutex mutex_;
    std::vector<std::int32_t> references_;
    std::vector<std::int32_t> free_;
    std::int32_t n_touched_ = 0;
};

// The block ids of one sequence, in order of position. Tables share blocks; a shared block is copied before it is written.
// Releases its blocks when it dies. Not thread-safe.
class BlockTable {
public:
    explicit BlockTable(std::shared_ptr<KvPool> pool) : pool_(std::move(pool)) {}
    BlockTable(BlockTable&& other) noexcept;
    BlockTable& operator=(BlockTable&& other) noexcept;
    BlockTable(const BlockTable&) = delete;
    BlockTable& operator=(const BlockTable&) = delete;
    ~BlockTable() { truncate(0); }

    const std::vector<std::int32_t>& blocks() const { return blocks_; }

    // True when letting go of the table would free a block.
    bool owns_any() const;
    // Blocks that reserve(begin, end) would take from the pool.
    std::int32_t needed(std::int64_t begin, std::int64_t end) const;
    // Makes positions [begin, end) writable: allocates what is missing and copies a shared block that holds positions
    // before `begin` (its first begin % 64 of them). Throws ERR_NEOX_KV_FULL, having changed nothing of use.
    void reserve(const Backend& backend, std::int64_t begin, std::int64_t end);
    // Keeps the blocks of positions [0, n_positions).
    void truncate(std::int64_t n_positions);
    // Takes out positions [keep, keep + n) and moves those behind them down by n: their blocks become this table's own, and
    // their keys are turned to their new positions (Backend::kv_rotate). Both are multiples of 64, n > 0, and keep + n is
    // within the blocks held. Takes needed(keep + n, end of the blocks) blocks from the pool before it gives any back. Throws
    // ERR_NEOX_KV_FULL and ERR_NEOX_UNSUPPORTED with the table as it was.
    void shift(const Backend& backend, std::int64_t keep, std::int64_t n);
    // Another table over the same blocks, for positions [0, n_positions).
    BlockTable fork(std::int64_t n_positions) const;

private:
    std::shared_ptr<KvPool> pool_;
    std::vector<std::int32_t> blocks_;
};

}  // namespace neox
