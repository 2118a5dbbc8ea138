#include "model/rope_table.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace neox {

namespace {

constexpr std::int32_t kFewestPositions = 256;

}  // namespace

RopeTable::RopeTable(const Config& config, std::int32_t n_ctx)
    : half_(static_cast<std::size_t>(config.n_rot / 2)), n_ctx_(n_ctx) {
    if (config.rope_scaling == RopeScaling::dynamic && n_ctx > config.n_ctx_train)
        fail(ErrorCode::unsupported, "rope_scaling \"dynamic\" is supported up to the trained context of ",
             config.n_ctx_train, " positions, but contextLength is ", n_ctx, ".");
    const float divisor = config.rope_scaling == RopeScaling::linear ? config.rope_factor : 1.0f;
    for (std::size_t j = 0; j < half_; ++j) {
        // 1 / base^(2j / n_rot), each step rounded to f32 as the reference's tensors are.
        const float exponent = static_cast<float>(2 * j) / static_cast<float>(config.n_rot);
        const float power = static_cast<float>(std::pow(static_cast<double>(config.rope_base), static_cast<double>(exponent)));
        inv_freq_.push_back(1.0f / power / divisor);
    }
}

void RopeTable::reserve(std::int32_t n_positions) {
    if (n_positions <= n_positions_) return;
    if (n_positions > n_ctx_)
        fail(ErrorCode::internal, "Position ", n_positions - 1, " is outside the context of ", n_ctx_, ".");
    const std::int64_t doubled = std::int64_t{n_positions_} * 2;
    const std::int64_t wanted = std::max<std::int64_t>({n_positions, kFewestPositions, doubled});
    const auto grown = static_cast<std::int32_t>(std::min<std::int64_t>(wanted, n_ctx_));
    cos_.resize(at(grown));
    sin_.resize(at(grown));
    for (std::int32_t pos = n_positions_; pos < grown; ++pos)
        for (std::size_t j = 0; j < half_; ++j) {
            const double angle = static_cast<double>(static_cast<float>(pos) * inv_freq_[j]);
            cos_[at(pos) + j] = static_cast<float>(std::cos(angle));
            sin_[at(pos) + j] = static_cast<float>(std::sin(angle));
        }
    n_positions_ = grown;
}

}  // namespace neox
