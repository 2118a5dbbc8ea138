// Passes over one backend as an engine would ask for them, with ids that do not matter.
#pragma once

#include <cstdint>
#include <vector>

#include "model/backend.h"
#include "model/profile.h"

namespace bench {

// A backend that is destroyed with it.
class Passes {
public:
    Passes(const neox::Device& device, const void* weights, const neox::Config& config,
           const neox::BackendOptions& options);
    ~Passes() { backend_.destroy(backend_.self); }
    Passes(const Passes&) = delete;
    Passes& operator=(const Passes&) = delete;

    // One prompt of n_tokens from position 0 on, in passes of at most max_rows; the largest logit of the last row is asked for.
    void prompt(std::int32_t n_tokens, neox::PassProfile* profile = nullptr);
    // One step of n_sequences sequences, each at position `depth`.
    void step(std::int32_t n_sequences, std::int32_t depth, neox::PassProfile* profile = nullptr);
    // Seconds of copying KV blocks inside the device's memory, and the bytes that were read and written.
    struct Copies {
        double seconds;
        double n_bytes;
    };
    Copies copy_blocks(int n_copies);

    // Blocks that n_sequences of n_positions positions take.
    static std::int32_t n_blocks(std::int32_t n_sequences, std::int32_t n_positions) {
        return n_sequences * ((n_positions + neox::kKvBlock - 1) / neox::kKvBlock);
    }
    // Of the cache, for one position.
    double position_bytes() const { return static_cast<double>(backend_.kv_block_bytes) / neox::kKvBlock; }

private:
    void forward(std::vector<neox::Row>& rows, neox::PassProfile* profile);

    const neox::Config& config_;
    const neox::BackendOptions options_;
    neox::Backend backend_{};
    std::vector<std::int32_t> blocks_;           // every block of the pool
    std::vector<neox::SequenceView> sequences_;  // of the pass
    std::vector<std::int32_t> argmax_;
};

}  // namespace bench
