#include "model/rope_table.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace neox {

namespace {

constexpr std::int32_t kFewestPositions = 256;

float power(float base, double exponent) {
    return static_cast<float>(std::pow(static_cast<double>(base), exponent));
}

}  // namespace

RopeTable::RopeTable(const Config& config, std::int32_t n_ctx)
    : half_(static_cast<std::size_t>(config.n_rot / 2)), n_rot_(config.n_rot), n_ctx_(n_ctx),
      n_ctx_train_(config.n_ctx_train), is_dynamic_(config.rope_scaling == RopeScaling::dynamic),
      base_(config.rope_base), factor_(config.rope_factor) {
    if (is_dynamic_ && n_rot_ <= 2)
        fail(ErrorCode::unsupported, "rope_scaling \"dynamic\" needs more than ", n_rot_,
             " rotary dimensions.");
    set_frequencies(base_, config.rope_scaling == RopeScaling::linear ? factor_ : 1.0f, inv_freq_);
}

// 1 / base^(2j / n_rot), each step rounded to f32 as the reference's tensors are.
void RopeTable::set_frequencies(float base, float divisor, std::vector<float>& inv_freq) const {
    inv_freq.resize(half_);
    for (std::size_t j = 0; j < half_; ++j) {
        const float exponent = static_cast<float>(2 * j) / static_cast<float>(n_rot_);
        inv_freq[j] = 1.0f / power(base, static_cast<double>(exponent)) / divisor;
    }
}

// base' = base * (factor * length / trained - (factor - 1)) ^ (n_rot / (n_rot - 2)), in f32 like the reference, whose
// length is a tensor (_compute_dynamic_ntk_parameters).
void RopeTable::scale_frequencies(std::int32_t length) {
    if (length == scaled_length_) return;
    const float growth =
        factor_ * static_cast<float>(length) / static_cast<float>(n_ctx_train_) - (factor_ - 1.0f);
    set_frequencies(base_ * power(growth, double{1} * n_rot_ / (n_rot_ - 2)), 1.0f, scaled_inv_freq_);
    scaled_length_ = length;
}

void RopeTable::rotate(std::int32_t pos, const std::vector<float>& inv_freq, float* cos, float* sin) const {
    for (std::size_t j = 0; j < half_; ++j) {
        const double angle = static_cast<double>(static_cast<float>(pos) * inv_freq[j]);
        cos[j] = static_cast<float>(std::cos(angle));
        sin[j] = static_cast<float>(std::sin(angle));
    }
}

void RopeTable::grow(std::int32_t n_positions) {
    if (n_positions <= n_positions_) return;
    if (n_positions > n_ctx_)
        fail(ErrorCode::internal, "Position ", n_positions - 1, " is outside the context of ", n_ctx_, ".");
    const std::int64_t doubled = std::int64_t{n_positions_} * 2;
    const std::int64_t wanted = std::max<std::int64_t>({n_positions, kFewestPositions, doubled});
    const auto grown = static_cast<std::int32_t>(std::min<std::int64_t>(wanted, n_ctx_));
    cos_.resize(at(grown));
    sin_.resize(at(grown));
    for (std::int32_t pos = n_positions_; pos < grown; ++pos)
        rotate(pos, inv_freq_, cos_.data() + at(pos), sin_.data() + at(pos));
    n_positions_ = grown;
}

void RopeTable::set_turn(std::int32_t delta, std::vector<float>& cos, std::vector<float>& sin) const {
    if (is_dynamic_ && n_ctx_ > n_ctx_train_)
        fail(ErrorCode::unsupported, "Under dynamic RoPE scaling a context of ", n_ctx_,
             ", beyond the trained ", n_ctx_train_, ", cannot be shifted: its base follows the length.");
    if (delta <= -n_ctx_ || delta >= n_ctx_)
        fail(ErrorCode::internal, "A shift by ", delta, " is outside the context of ", n_ctx_, ".");
    cos.resize(half_);
    sin.resize(half_);
    for (std::size_t j = 0; j < half_; ++j) {
        const double angle = static_cast<double>(delta) * static_cast<double>(inv_freq_[j]);
        cos[j] = static_cast<float>(std::cos(angle));
        sin[j] = static_cast<float>(std::sin(angle));
    }
}

void RopeTable::prepare(const Batch& batch) {
    // Room first: pointers into the tables must stay.
    std::int32_t n_positions = 0;
    std::int64_t n_scaled = 0;
    for (std::int32_t i = 0; i < batch.n_rows; ++i) {
        if (is_scaled(batch.rows[i]))
            ++n_scaled;
        else
            n_positions = std::max(n_positions, batch.rows[i].pos + 1);
    }
    grow(n_positions);
    scaled_cos_.resize(at(n_scaled));
    scaled_sin_.resize(at(n_scaled));
    rows_.clear();
    float *cos = scaled_cos_.data(), *sin = scaled_sin_.data();
    for (std::int32_t i = 0; i < batch.n_rows; ++i) {
        const neox::Row& row = batch.rows[i];
        if (!is_scaled(row)) {
            rows_.push_back({cos_.data() + at(row.pos), sin_.data() + at(row.pos)});
            continue;
        }
        scale_frequencies(row.rope_length);
        rotate(row.pos, scaled_inv_freq_, cos, sin);
        rows_.push_back({cos, sin});
        cos += half_;
        sin += half_;
    }
}

}  // namespace neox
