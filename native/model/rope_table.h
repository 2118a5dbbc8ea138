// cos and sin of every position, as transformers computes them in f32 (modeling_rope_utils.py, default and linear).
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace neox {

class RopeTable {
public:
    // Throws ERR_NEOX_UNSUPPORTED for dynamic scaling beyond the trained context, where the base would depend on the
    // length of the whole sequence.
    RopeTable(const Config& config, std::int32_t n_ctx);

    const float* cos(std::int32_t pos) const { return cos_.data() + at(pos); }  // [n_rot / 2]
    const float* sin(std::int32_t pos) const { return sin_.data() + at(pos); }

private:
    std::size_t at(std::int32_t pos) const { return static_cast<std::size_t>(pos) * half_; }

    std::size_t half_;
    std::vector<float> cos_, sin_;
};

}  // namespace neox
