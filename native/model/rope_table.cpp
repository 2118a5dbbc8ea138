#include "model/rope_table.h"

#include <cmath>

#include "base/error.h"

namespace neox {

RopeTable::RopeTable(const Config& config, std::int32_t n_ctx) : half_(static_cast<std::size_t>(config.n_rot / 2)) {
    if (config.rope_scaling == RopeScaling::dynamic && n_ctx > config.n_ctx_train)
        fail(ErrorCode::unsupported, "rope_scaling \"dynamic\" is supported up to the trained context of ",
             config.n_ctx_train, " positions, but contextLength is ", n_ctx, ".");
    const float divisor = config.rope_scaling == RopeScaling::linear ? config.rope_factor : 1.0f;
    cos_.resize(static_cast<std::size_t>(n_ctx) * half_);
    sin_.resize(cos_.size());
    for (std::size_t j = 0; j < half_; ++j) {
        // 1 / base^(2j / n_rot), each step rounded to f32 as the reference's tensors are.
        const float exponent = static_cast<float>(2 * j) / static_cast<float>(config.n_rot);
        const float power = static_cast<float>(std::pow(static_cast<double>(config.rope_base), static_cast<double>(exponent)));
        const float inv_freq = 1.0f / power / divisor;
        for (std::int32_t pos = 0; pos < n_ctx; ++pos) {
            const double angle = static_cast<double>(static_cast<float>(pos) * inv_freq);
            cos_[at(pos) + j] = static_cast<float>(std::cos(angle));
            sin_[at(pos) + j] = static_cast<float>(std::sin(angle));
        }
    }
}

}  // namespace neox
