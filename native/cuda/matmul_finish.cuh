// The end of a product: a tile of sums in shared memory, joined with those of other segments, becomes rows of y.
#pragma once

#include "cuda/epilogue.cuh"
#include "cuda/quad.cuh"

namespace neox::cuda {

// Where a tile's results go.
struct ResultArgs {
    Epilogue epilogue;
    const float* x_scale;  // may be nullptr
    float* y;
    std::int64_t y_stride;
    int n_tokens, n_rows;
    float* partial;
    std::int32_t* tickets;
    int n_segments;
};

// Sums of kTokens tokens and kRows rows, [kTokens][kStride]. Each thread takes the same quads (four rows of a token) in every step.
template <int kTokens, int kRows, int kThreads> class ResultTile {
public:
    // Between tokens; so that a quarter warp's pairs of four tokens fall into different banks.
    static constexpr int kStride = kRows + 8;
    static constexpr int kSharedBytes = kTokens * kStride * 4 + 16;

    NEOX_DEVICE ResultTile(const ResultArgs& args, int token, int row) : a_(args), token_(token), row_(row) {}

    // Where a sum belongs.
    NEOX_DEVICE static float* at(int token, int row) { return shared_as<float>() + token * kStride + row; }

    // Leaves this segment's sums in memory, and takes up those of all segments where it is the last to come: then true. The
    // sums in shared memory are complete, and seen by all.
    NEOX_DEVICE bool join_segments(int tile, int segment) const {
        constexpr int kSums = kTokens * kRows;
        float* const parts = a_.partial + static_cast<std::int64_t>(tile) * a_.n_segments * kSums;
        for (int i = 0; i < kQuads; ++i) {
            const Place p = place(i);
            if (is_there(p))
                store_quad(parts + segment * kSums + 4 * quad(i), load_shared_quad(at(p.token, p.row)));
        }
        thread_fence();
        sync_block();
        auto* const is_last = shared_as<int>(kTokens * kStride * 4);
        if (thread_id() == 0) {
            *is_last = atomic_add(a_.tickets + tile, 1) == a_.n_segments - 1;
            if (*is_last) a_.tickets[tile] = 0;
        }
        sync_block();
        if (!*is_last) return false;
        thread_fence();
        for (int first = 0; first < kQuads; first += kBatch) {
            Quad sums[kBatch];
            for (int s = 0; s < a_.n_segments; ++s) {
                NEOX_UNROLL
                for (int b = 0; b < kBatch; ++b) {
                    if (!is_there(place(first + b))) continue;
                    const Quad part = load_quad(parts + s * kSums + 4 * quad(first + b));
                    NEOX_UNROLL
                    for (int j = 0; j < 4; ++j) sums[b].v[j] = s == 0 ? part.v[j] : sums[b].v[j] + part.v[j];
                }
            }
            NEOX_UNROLL
            for (int b = 0; b < kBatch; ++b) {
                const Place p = place(first + b);
                if (is_there(p)) store_quad(at(p.token, p.row), sums[b]);
            }
        }
        return true;
    }

    NEOX_DEVICE void write() const {
        switch (a_.epilogue.activation) {
            case Activation::none: return write_activated<Activation::none>();
            case Activation::gelu_erf: return write_activated<Activation::gelu_erf>();
            case Activation::gelu_tanh: return write_activated<Activation::gelu_tanh>();
        }
    }

private:
    static constexpr int kQuads = kTokens * kRows / 4 / kThreads;
    static constexpr int kBatch = kQuads < 8 ? kQuads : 8;
    static_assert(kQuads % kBatch == 0 && kRows % 32 == 0);

    struct Place {
        int token, row;  // in the tile
    };
    NEOX_DEVICE static int quad(int i) { return thread_id() + i * kThreads; }
    NEOX_DEVICE static Place place(int i) { return {quad(i) / (kRows / 4), quad(i) % (kRows / 4) * 4}; }
    // Rows up to a multiple of 32 are.
    NEOX_DEVICE bool is_there(const Place& p) const {
        return token_ + p.token < a_.n_tokens && row_ + p.row < (a_.n_rows + 31) / 32 * 32;
    }

    template <Activation activation> NEOX_DEVICE void write_activated() const {
        for (int first = 0; first < kQuads; first += kBatch) {
            Quad residuals[kBatch];
            NEOX_UNROLL
            for (int b = 0; b < kBatch; ++b) {
                const Place p = place(first + b);
                residuals[b] = {};
                if (a_.epilogue.residual && is_there(p))
                    residuals[b] = load_first(a_.epilogue.residual +
                                                  static_cast<std::int64_t>(token_ + p.token) *
                                                      a_.epilogue.residual_stride +
                                                  row_ + p.row,
                                              a_.n_rows - row_ - p.row);
            }
            NEOX_UNROLL
            for (int b = 0; b < kBatch; ++b) {
                const Place p = place(first + b);
                if (!is_there(p)) continue;
                const int token = token_ + p.token, row = row_ + p.row, n_left = a_.n_rows - row;
                const float scale = a_.x_scale ? a_.x_scale[token] : 1.0f;
                const Quad sum = load_shared_quad(at(p.token, p.row));
                const Quad bias = a_.epilogue.bias ? load_first(a_.epilogue.bias + row, n_left) : Quad{};
                Quad y;
                NEOX_UNROLL
                for (int j = 0; j < 4; ++j) {
                    const float value = activate<activation>(sum.v[j] * scale + bias.v[j]);
                    y.v[j] = j < n_left ? value + residuals[b].v[j] : 0.0f;
                }
                store_quad(a_.y + token * a_.y_stride + row, y);
            }
        }
    }

    const ResultArgs& a_;
    int token_, row_;  // of the tile's first
};

}  // namespace neox::cuda
