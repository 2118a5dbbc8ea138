// cos and sin of the rotary embedding, as transformers computes them in f32 (modeling_rope_utils.py: default, linear and
// dynamic).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/batch.h"
#include "model/config.h"

namespace neox {

// Under dynamic scaling the base follows the length that a row sees (Row::rope_length) as soon as that exceeds the
// trained context; until then, and under every other scaling, a position has one rotation.
class RopeTable {
public:
    // Of one row, [n_rot / 2] each.
    struct Row {
        const float* cos;
        const float* sin;
    };

    // For positions below n_ctx, none of them computed yet. Throws ERR_NEOX_UNSUPPORTED for dynamic scaling of two rotary
    // dimensions, whose exponent n / (n - 2) has no value.
    RopeTable(const Config& config, std::int32_t n_ctx);

    // Makes the rows of a batch available; those of the batch before are void. Positions must be below n_ctx.
    void prepare(const Batch& batch);
    // Of batch.rows[i] of the batch that was prepared.
    Row row(std::ptrdiff_t i) const { return rows_[static_cast<std::size_t>(i)]; }
    // The rotation that takes any position p to p + delta, [n_rot / 2] each; delta may be negative, |delta| < n_ctx. Throws
    // ERR_NEOX_UNSUPPORTED where that depends on p: dynamic scaling with an n_ctx beyond the trained context.
    void set_turn(std::int32_t delta, std::vector<float>& cos, std::vector<float>& sin) const;

private:
    bool is_scaled(const neox::Row& row) const { return is_dynamic_ && row.rope_length > n_ctx_train_; }
    std::size_t at(std::int64_t index) const { return static_cast<std::size_t>(index) * half_; }
    void grow(std::int32_t n_positions);
    void set_frequencies(float base, float divisor, std::vector<float>& inv_freq) const;
    void scale_frequencies(std::int32_t length);
    void rotate(std::int32_t pos, const std::vector<float>& inv_freq, float* cos, float* sin) const;

    std::size_t half_;
    std::int32_t n_rot_, n_ctx_, n_ctx_train_;
    bool is_dynamic_;
    float base_, factor_;
    std::vector<float> inv_freq_;  // [n_rot / 2]
    // Positions [0, n_positions_). It grows on demand because a file's header may claim a context that nothing will ever
    // fill.
    std::int32_t n_positions_ = 0;
    std::vector<float> cos_, sin_;  // [n_positions_, n_rot / 2]
    // Dynamic scaling: the frequencies of one length, kept because the rows of a prompt share it; and the scaled rows of
    // the batch in its order.
    std::int32_t scaled_length_ = 0;
    std::vector<float> scaled_inv_freq_;          // [n_rot / 2]
    std::vector<float> scaled_cos_, scaled_sin_;  // [scaled rows, n_rot / 2]
    std::vector<Row> rows_;
};

}  // namespace neox
