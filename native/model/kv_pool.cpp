#include "model/kv_pool.h"

#include <algorithm>
#include <utility>

namespace neox {

namespace {

std::size_t blocks_for(std::int64_t n_positions) {
    return static_cast<std::size_t>((n_positions + kKvBlock - 1) / kKvBlock);
}

}  // namespace

KvPool::KvPool(std::int32_t n_blocks) : references_(static_cast<std::size_t>(n_blocks), 0) {
    free_.reserve(references_.size());
    // Low ids first, so that a pool that is never full touches the front of its memory only.
    for (std::int32_t block = n_blocks - 1; block >= 0; --block) free_.push_back(block);
}

std::int32_t KvPool::n_free() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int32_t>(free_.size());
}

std::int32_t KvPool::n_touched() const {
    const std::lock_guard lock(mutex_);
    return n_touched_;
}

std::int32_t KvPool::references(std::int32_t block) const {
    const std::lock_guard lock(mutex_);
    return references_[static_cast<std::size_t>(block)];
}

std::int32_t KvPool::allocate() {
    const std::lock_guard lock(mutex_);
    if (free_.empty())
        fail(ErrorCode::kv_full, "The KV pool of ", capacity(), " blocks of ", kKvBlock,
             " positions is full.");
    const std::int32_t block = free_.back();
    free_.pop_back();
    references_[static_cast<std::size_t>(block)] = 1;
    n_touched_ = std::max(n_touched_, block + 1);
    return block;
}

void KvPool::retain(std::int32_t block) {
    const std::lock_guard lock(mutex_);
    ++references_[static_cast<std::size_t>(block)];
}

void KvPool::release(std::int32_t block) {
    const std::lock_guard lock(mutex_);
    if (--references_[static_cast<std::size_t>(block)] == 0) free_.push_back(block);
}

BlockTable::BlockTable(BlockTable&& other) noexcept
    : pool_(other.pool_), blocks_(std::exchange(other.blocks_, {})) {}

BlockTable& BlockTable::operator=(BlockTable&& other) noexcept {
    if (this != &other) {
        truncate(0);
        pool_ = other.pool_;
        blocks_ = std::exchange(other.blocks_, {});
    }
    return *this;
}

std::int32_t BlockTable::needed(std::int64_t begin, std::int64_t end) const {
    const std::size_t want = blocks_for(end);
    std::int32_t n = want > blocks_.size() ? static_cast<std::int32_t>(want - blocks_.size()) : 0;
    for (std::size_t i = static_cast<std::size_t>(begin / kKvBlock); i < std::min(want, blocks_.size()); ++i)
        if (pool_->references(blocks_[i]) > 1) ++n;
    return n;
}

bool BlockTable::owns_any() const {
    return std::any_of(blocks_.begin(), blocks_.end(),
                       [&](std::int32_t block) { return pool_->references(block) == 1; });
}

void BlockTable::reserve(const Backend& backend, std::int64_t begin, std::int64_t end) {
    const std::size_t want = blocks_for(end);
    for (std::size_t i = static_cast<std::size_t>(begin / kKvBlock); i < std::min(want, blocks_.size());
         ++i) {
        if (pool_->references(blocks_[i]) == 1) continue;
        const std::int32_t copy = pool_->allocate();
        const std::int64_t kept = begin - static_cast<std::int64_t>(i) * kKvBlock;
        if (kept > 0) {
            const Status status =
                backend.kv_copy(backend.self, blocks_[i], copy, static_cast<std::int32_t>(kept));
            if (status.code != 0) {
                pool_->release(copy);
                check(status);
            }
        }
        pool_->release(blocks_[i]);
        blocks_[i] = copy;
    }
    while (blocks_.size() < want) blocks_.push_back(pool_->allocate());
}

void BlockTable::truncate(std::int64_t n_positions) {
    const std::size_t want = blocks_for(n_positions);
    while (blocks_.size() > want) {
        pool_->release(blocks_.back());
        blocks_.pop_back();
    }
}

void BlockTable::shift(const Backend& backend, std::int64_t keep, std::int64_t n) {
    const std::size_t begin = static_cast<std::size_t>(keep / kKvBlock),
                      dropped = static_cast<std::size_t>(n / kKvBlock);
    if (keep < 0 || n <= 0 || keep % kKvBlock != 0 || n % kKvBlock != 0 || begin + dropped > blocks_.size())
        fail(ErrorCode::internal, "Cannot shift by ", n, " positions at ", keep, " of ", blocks_.size(),
             " blocks.");
    check(backend.kv_rotate(backend.self, nullptr, 0, static_cast<std::int32_t>(n)));
    BlockTable behind(pool_);  // gives its blocks back should anything below fail
    behind.blocks_.reserve(blocks_.size() - begin - dropped);
    for (std::size_t i = begin + dropped; i < blocks_.size(); ++i) {
        if (pool_->references(blocks_[i]) == 1) {
            pool_->retain(blocks_[i]);
            behind.blocks_.push_back(blocks_[i]);
            continue;
        }
        behind.blocks_.push_back(pool_->allocate());
        check(backend.kv_copy(backend.self, blocks_[i], behind.blocks_.back(), kKvBlock));
    }
    check(backend.kv_rotate(backend.self, behind.blocks_.data(),
                            static_cast<std::int32_t>(behind.blocks_.size()), static_cast<std::int32_t>(n)));
    truncate(keep);
    blocks_.insert(blocks_.end(), behind.blocks_.begin(), behind.blocks_.end());
    behind.blocks_.clear();
}

BlockTable BlockTable::fork(std::int64_t n_positions) const {
    BlockTable table(pool_);
    const std::size_t want = std::min(blocks_for(n_positions), blocks_.size());
    table.blocks_.assign(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(want));
    for (std::int32_t block : table.blocks_) pool_->retain(block);
    return table;
}

}  // namespace neox
