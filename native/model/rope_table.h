// cos and sin of the positions in use, as transformers computes them in f32 (modeling_rope_utils.py, default
// and linear).
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace neox {

class RopeTable {
public:
    // Of positions below n_ctx, none of them yet. Throws ERR_NEOX_UNSUPPORTED for dynamic scaling beyond the
    // trained context, where the base would depend on the length of the whole sequence.
    RopeTable(const Config& config, std::int32_t n_ctx);

    // Makes positions [0, n_positions) available; pointers from before are void. The table grows on demand
    // because a file's header may claim a context that nothing will ever fill. Throws ERR_NEOX_INTERNAL beyond
    // n_ctx.
    void reserve(std::int32_t n_positions);

    // Of a position that was reserved.
    const float* cos(std::int32_t pos) const { return cos_.data() + at(pos); }  // [n_rot / 2]
    const float* sin(std::int32_t pos) const { return sin_.data() + at(pos); }

private:
    std::size_t at(std::int32_t pos) const { return static_cast<std::size_t>(pos) * half_; }

    std::size_t half_;
    std::int32_t n_ctx_;
    std::int32_t n_positions_ = 0;
    std::vector<float> inv_freq_;  // [n_rot / 2]
    std::vector<float> cos_, sin_;
};

}  // namespace neox
