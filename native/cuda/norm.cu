#include "cuda/norm.h"

#include "cuda/quad.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr float kLeastUnscaled = 0.25f, kMostUnscaled = 32768.0f;

// The scale of a row by its largest magnitude: the row is multiplied by its inverse.
NEOX_DEVICE PowerOfTwo row_scale(float largest) {
    if (largest == 0.0f || largest == infinity() || (largest >= kLeastUnscaled && largest <= kMostUnscaled))
        return {1.0f, 1.0f};
    // Both the scale and its inverse are normal numbers: exponents of 1 to 253, and none below that of 2^-100.
    const int exponent = static_cast<int>(bits_of_float(largest) >> 23);
    return power_of_two(exponent < 27 ? 27 : exponent > 253 ? 253 : exponent);
}

// One row of a block: each thread has four columns of every kThreads * 4.
class Row {
public:
    NEOX_DEVICE explicit Row(const NormArgs& args) : a_(args), x_(args.x + block_id().x * args.x_stride) {}

    NEOX_DEVICE void find_norm() {
        float sum = 0.0f;
        for_quads([&](int column) {
            const Quad x = values(column);
            sum += (x.v[0] + x.v[1]) + (x.v[2] + x.v[3]);
        });
        const float n = static_cast<float>(a_.n_cols);
        mean_ = block_sum(sum) / n;
        float squares = 0.0f;
        for_quads([&](int column) {
            const Quad x = values(column);
            NEOX_UNROLL
            for (int i = 0; i < 4; ++i) {
                const float centred = column + i < a_.n_cols ? x.v[i] - mean_ : 0.0f;
                squares = fmaf_(centred, centred, squares);
            }
        });
        factor_ = rsqrtf_(block_sum(squares) / n + a_.eps);
    }

    template <bool kIsNorm> NEOX_DEVICE void write() const {
        PowerOfTwo scale{1.0f, 1.0f};
        if (a_.y16) {
            float largest = 0.0f;  // NaN is not larger
            for_quads([&](int column) {
                const Quad y = results<kIsNorm>(column);
                NEOX_UNROLL
                for (int i = 0; i < 4; ++i) {
                    const float size = y.v[i] < 0.0f ? -y.v[i] : y.v[i];
                    largest = size > largest ? size : largest;
                }
            });
            scale = row_scale(block_max(largest));
            if (thread_id() == 0) a_.scale[block_id().x] = scale.value;
        }
        const std::int64_t row = block_id().x;
        const auto last = static_cast<int>(a_.y_stride > a_.y16_stride ? a_.y_stride : a_.y16_stride);
        for (int column = 4 * thread_id(); column < last; column += 4 * kThreads) {
            const Quad y = results<kIsNorm>(column);
            if (a_.y && column < a_.y_stride) store_quad(a_.y + row * a_.y_stride + column, y);
            if (a_.y16 && column < a_.y16_stride)
                store_8(a_.y16 + row * a_.y16_stride + column,
                        {{pack_f16(y.v[0] * scale.inverse, y.v[1] * scale.inverse),
                          pack_f16(y.v[2] * scale.inverse, y.v[3] * scale.inverse)}});
        }
    }

private:
    template <class Body> NEOX_DEVICE void for_quads(Body body) const {
        for (int column = 4 * thread_id(); column < a_.n_cols; column += 4 * kThreads) body(column);
    }

    // Zeros behind the last column, whatever the memory holds there.
    NEOX_DEVICE Quad values(int column) const { return load_first(x_ + column, a_.n_cols - column); }

    template <bool kIsNorm> NEOX_DEVICE Quad results(int column) const {
        Quad x = values(column);
        if constexpr (kIsNorm) {
            NEOX_UNROLL
            for (int i = 0; i < 4; ++i)
                if (column + i < a_.n_cols)
                    x.v[i] = fmaf_((x.v[i] - mean_) * factor_, a_.weight[column + i], a_.bias[column + i]);
        }
        return x;
    }

    // The same bits in every thread.
    NEOX_DEVICE float block_sum(float value) const {
        const float* parts = meet(warp_sum(value));
        float sum = 0.0f;
        NEOX_UNROLL
        for (int i = 0; i < kWarps; ++i) sum += parts[i];
        return sum;
    }
    NEOX_DEVICE float block_max(float value) const {
        const float* parts = meet(warp_max(value));
        float largest = 0.0f;
        NEOX_UNROLL
        for (int i = 0; i < kWarps; ++i) largest = parts[i] > largest ? parts[i] : largest;
        return largest;
    }
    NEOX_DEVICE const float* meet(float of_warp) const {
        sync_block();  // until the last meeting's parts are read
        auto* parts = shared_as<float>();
        if (lane() == 0) parts[warp()] = of_warp;
        sync_block();
        return parts;
    }

    const NormArgs& a_;
    const float* x_;
    float mean_ = 0.0f, factor_ = 1.0f;
};

NEOX_KERNEL void NEOX_BOUNDS(kThreads, 4) norm_rows(NormArgs args) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    Row row(args);
    if (args.weight) {
        row.find_norm();
        row.write<true>();
    } else {
        row.write<false>();
    }
}

}  // namespace

void launch_norm(Stream& stream, const NormArgs& args) {
    if (args.n_rows == 0) return;
    LaunchShape shape;
    shape.x = args.n_rows;
    shape.n_threads = kThreads;
    shape.shared_bytes = kWarps * sizeof(float);
    shape.may_overlap = true;
    stream.launch(norm_rows, shape, args);
}

}  // namespace neox::cuda
