// A second backend, for the engine's tests: a tiny "network" whose logits are a hash of everything that a row attends to,
// read through the block tables. A wrong block, a missed copy or a wrong phase changes the answer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "model/backend.h"

namespace fake {

inline constexpr std::int32_t kVocab = 97, kEmbd = 4, kLayers = 4;

inline neox::Config config() {
    neox::Config c;
    c.n_layer = kLayers;
    c.n_embd = kEmbd;
    c.n_head = 1;
    c.n_ff = 4;
    c.n_vocab = kVocab;
    c.n_rot = 4;
    c.n_ctx_train = 4096;
    return c;
}

struct State {
    std::vector<std::uint64_t> kv;  // [block][64]
    std::atomic<int> layer_ms{0};   // time of one layer
    std::atomic<int> n_forward{0}, n_rows{0}, max_rows{0};
    std::atomic<int> fail_next{0};      // forwards from now that return an error
    std::atomic<int> nan_at{-1};        // position whose logits are NaN
    std::atomic<bool> is_fixed{false};  // cached keys cannot be turned
    std::atomic<int> echo{0};           // most rows make likely what stood so many positions before; 0: none
    std::function<void()> on_copy;      // called before a block is copied, on the engine's thread
    std::mutex mutex;
    std::vector<int> rows_of_batches;
};

inline std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
    h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
    h *= 0xff51afd7ed558ccdull;
    return h ^ (h >> 33);
}

inline std::uint64_t row_value(const neox::Row& row) {
    std::uint64_t v = static_cast<std::uint64_t>(row.token + 2) * 4 + static_cast<std::uint64_t>(row.phase);
    if (row.embedding)
        for (int i = 0; i < kEmbd; ++i) {
            std::uint32_t bits;
            std::memcpy(&bits, row.embedding + i, 4);
            v = mix(v, bits);
        }
    return v;
}

// What a cache entry holds of its position, so that a shift that forgets to turn it changes the answer.
inline std::uint64_t turn(std::int32_t pos) { return static_cast<std::uint64_t>(pos) << 40; }

inline void write_outputs(State& s, const neox::Batch& batch, const neox::Row& row) {
    if (row.status) *row.status = row.pos == s.nan_at ? neox::RowStatus::nan : neox::RowStatus::done;
    std::uint64_t h = 7;
    for (std::int32_t pos = 0; pos <= row.pos; ++pos)
        h = mix(
            h,
            s.kv[static_cast<std::size_t>(batch.sequences[row.sequence].blocks[pos / 64] * 64 + pos % 64)]);
    float logits[kVocab];
    int best = 0;
    for (int i = 0; i < kVocab; ++i) {
        logits[i] = static_cast<float>(mix(h, static_cast<std::uint64_t>(i)) % 1000) / 100.0f;
        if (logits[i] > logits[best]) best = i;
    }
    if (const int earlier = row.pos + 1 - s.echo; s.echo > 0 && earlier >= 0 && h % 8 != 0) {
        const std::int32_t block = batch.sequences[row.sequence].blocks[earlier / 64];
        const std::uint64_t entry = s.kv[static_cast<std::size_t>(block * 64 + earlier % 64)] - turn(earlier);
        best = static_cast<int>(entry / 4 % 100) - 2;
        logits[best] = 20.0f;
    }
    if (row.argmax) *row.argmax = best;
    if (row.logits) std::memcpy(row.logits, logits, sizeof logits);
    if (row.hidden) std::memcpy(row.hidden, logits, kEmbd * sizeof(float));
    for (int i = 0; i < row.n_targets; ++i) row.target_logprobs[i] = logits[row.targets[i]];
    for (int i = 0; i < row.n_top; ++i) {
        row.top_ids[i] = best;
        row.top_logprobs[i] = -1.0f;
    }
}

inline neox::Status forward(void* self, const neox::Batch* batch, std::int32_t, std::int32_t, float*) {
    State& s = *static_cast<State*>(self);
    ++s.n_forward;
    s.n_rows += batch->n_rows;
    if (batch->n_rows > s.max_rows) s.max_rows = batch->n_rows;
    {
        const std::lock_guard lock(s.mutex);
        s.rows_of_batches.push_back(batch->n_rows);
    }
    if (s.fail_next > 0) {
        --s.fail_next;
        return neox::make_status(neox::ErrorCode::backend, "The fake device failed.");
    }
    std::vector<bool> dropped(static_cast<std::size_t>(batch->n_sequences), false);
    for (int layer = 0; layer < kLayers; ++layer) {
        bool any = false;
        for (std::int32_t i = 0; i < batch->n_sequences; ++i) {
            if (batch->sequences[i].cancel->load()) dropped[static_cast<std::size_t>(i)] = true;
            any = any || !dropped[static_cast<std::size_t>(i)];
        }
        if (!any) break;
        if (s.layer_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(s.layer_ms));
    }
    for (std::int32_t i = 0; i < batch->n_rows; ++i) {
        const neox::Row& row = batch->rows[i];
        if (dropped[static_cast<std::size_t>(row.sequence)]) {
            if (row.status) *row.status = neox::RowStatus::dropped;
            continue;
        }
        const std::int32_t block = batch->sequences[row.sequence].blocks[row.pos / 64];
        s.kv[static_cast<std::size_t>(block * 64 + row.pos % 64)] = row_value(row) + turn(row.pos);
        write_outputs(s, *batch, row);
    }
    return {};
}

// The state stays readable by the test after the engine has destroyed the backend.
inline neox::Backend make(const std::shared_ptr<State>& state, std::int32_t n_blocks) {
    state->kv.assign(static_cast<std::size_t>(n_blocks) * 64, 0);
    neox::Backend b{};
    b.self = state.get();
    b.kv_block_bytes = 64 * 8;
    b.forward = forward;
    b.kv_copy = [](void* self, std::int32_t from, std::int32_t to, std::int32_t n) {
        State& s = *static_cast<State*>(self);
        if (s.on_copy) s.on_copy();
        auto& kv = s.kv;
        std::memcpy(&kv[static_cast<std::size_t>(to) * 64], &kv[static_cast<std::size_t>(from) * 64],
                    static_cast<std::size_t>(n) * 8);
        return neox::Status{};
    };
    b.kv_read = [](void* self, std::int32_t block, void* dst) {
        std::memcpy(dst, &static_cast<State*>(self)->kv[static_cast<std::size_t>(block) * 64], 512);
        return neox::Status{};
    };
    b.kv_write = [](void* self, std::int32_t block, const void* src) {
        std::memcpy(&static_cast<State*>(self)->kv[static_cast<std::size_t>(block) * 64], src, 512);
        return neox::Status{};
    };
    b.kv_rotate = [](void* self, const std::int32_t* blocks, std::int32_t n, std::int32_t delta) {
        State& s = *static_cast<State*>(self);
        if (s.is_fixed)
            return neox::make_status(neox::ErrorCode::unsupported, "The fake device cannot shift.");
        for (std::int32_t i = 0; i < n; ++i)
            for (std::int32_t j = 0; j < 64; ++j)
                s.kv[static_cast<std::size_t>(blocks[i] * 64 + j)] -= turn(delta);
        return neox::Status{};
    };
    b.destroy = [](void*) {};
    return b;
}

}  // namespace fake
