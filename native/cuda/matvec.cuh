// The kernel of cuda/matvec.h.
//
// A tile is 16 rows of the matrix, a block's share at a time; a step is 128 columns of it, a warp's share at a time. Lane
// 4 g + i holds group i of a step, of rows g and g + 8: the places that mma.m16n8k16 gives to 16 rows and, in each of the
// lane's pairs of columns, to lane i of four. The order of columns within a product is free, so a group's 16 pairs are the
// operands of 8 products as they are unpacked.
//
// The scales of a row are different for each group, so the four groups of a step may not be added by the tensor cores. They have
// eight columns of activations, though, where one row of activations needs two: column 2 j + part holds the high or the low part
// of group j, and zeros where the other groups' lanes multiply. What comes back to lane 4 g + i is the two sums of its own group.
// (An infinite weight of F16 gives NaN, as those zeros multiply it, too.)
// Codes are exact in f16, their sums are in f32, and the scales are applied to sums.
//
// F32 and BF16 do not fit into f16. Their rows are multiplied by plain f32 instructions, of which they need few per byte.
//
// Each warp has a slice of the columns of all tiles. It keeps its slice of the activations in shared memory, and loads of weights
// under way for the next steps, also of the next tile: the first before the previous kernel has ended.
#pragma once

#include "cuda/device.cuh"
#include "cuda/epilogue.cuh"
#include "cuda/formats.cuh"
#include "cuda/matvec_kernels.h"
#include "cuda/quad.cuh"

namespace neox::cuda {

// The activations of a step and one row of x in shared memory: 128 bytes for each group, as eight pieces of 16 bytes, piece p of
// group j in place p ^ j, so that the pieces that a quarter of a warp reads lie in different banks. Pieces are four numbers, or
// four pairs of the high parts, and behind those four of the low parts. Then, for types with minima, the sums of 16 columns.
template <DType t> inline constexpr bool kOnTensorCores = kHasCodes<t> || t == DType::F16;
inline constexpr int kRecordSums = 128 * kStepGroups;
template <DType t> inline constexpr int kRecordBytes = kRecordSums + (kHasMin<t> ? 8 * kStepGroups : 0);

// Steps that a warp has under way beside the one that it multiplies: enough for the memory, as few as fit into registers.
template <DType t, int kRows> inline constexpr int kStepsAhead = kCodeWords<t> >= 16 || kRows > 1 ? 1 : 2;
// Pieces of a row of x that are loaded before they are used; one where the weights leave no registers for more.
template <DType t, int kRows>
inline constexpr int kQuadsAtOnce =
    kRows > 1 || t == DType::Q5_K || t == DType::Q3_K || t == DType::IQ4_NL ? 1 : 3;
// Blocks of a multiprocessor at once, which leaves 128 registers for a thread, or 255.
template <DType t, int kRows> inline constexpr int kMatvecBlocks = kCodeWords<t> == 16 && kRows > 4 ? 1 : 2;
// Shared memory: parts of sums over the block, facts of the rows, parts of results, then the activations.
struct RowFacts {
    float mean, factor;    // of the norm
    float scale, inverse;  // powers of two
};
template <int kRows> struct MatvecShared {
    float reduced[3][kRows][kSlices];
    RowFacts facts[kRows];
    float results[2][kSlices][kRows * kTileRows];
};

// The weights of a lane in a step, ready to be multiplied.
template <DType t> struct StepWeights {
    std::uint32_t q[2][16];  // pairs of f16
    Scales scales[2];

    NEOX_DEVICE explicit StepWeights(const Group<t> (&groups)[2]) {
        NEOX_UNROLL
        for (int r = 0; r < 2; ++r) {
            if constexpr (t == DType::F16) {
                NEOX_UNROLL
                for (int j = 0; j < 16; ++j) q[r][j] = groups[r].codes[j];
            } else {
                unpack_codes(groups[r], q[r]);
                scales[r] = scales_of(groups[r]);
            }
        }
    }

    // sums[r] += the product with one row of x.
    NEOX_DEVICE void multiply(const std::byte* record, float (&sums)[2]) const {
        const int group = lane() % 4, column = lane() / 4;
        const bool is_mine = column / 2 == group;
        const std::byte* from = record + 128 * group;
        float c[2][4] = {};  // of columns 0 to 15 and 16 to 31
        NEOX_UNROLL
        for (int p = 0; p < 4; ++p) {
            const Words4 x =
                is_mine ? load_16_shared(from + 16 * ((4 * (column % 2) + p) ^ group)) : Words4{};
            NEOX_UNROLL
            for (int half = 0; half < 2; ++half) {
                const int j = 4 * p + 2 * half;
                const std::uint32_t a[4] = {q[0][j], q[1][j], q[0][j + 1], q[1][j + 1]};
                const std::uint32_t b[2] = {x.x[2 * half], x.x[2 * half + 1]};
                mma_f16(c[p / 2], a, b);
            }
        }
        float x_sums[2] = {};
        if constexpr (kHasMin<t>) {
            const auto* stored = reinterpret_cast<const float*>(record + kRecordSums) + 2 * group;
            x_sums[0] = stored[0];
            x_sums[1] = stored[1];
        }
        NEOX_UNROLL
        for (int r = 0; r < 2; ++r) {
            const float first = c[0][2 * r] + c[0][2 * r + 1], second = c[1][2 * r] + c[1][2 * r + 1];
            if constexpr (t == DType::F16) {
                sums[r] += first + second;
            } else if constexpr (kHasTwoScales<t>) {
                sums[r] = fmaf_(scales[r].scale[1], second, fmaf_(scales[r].scale[0], first, sums[r]));
            } else {
                sums[r] = fmaf_(scales[r].scale[0], first + second, sums[r]);
            }
            if constexpr (kHasMin<t> && kHasTwoScales<t>)
                sums[r] = fmaf_(-scales[r].min[1], x_sums[1], fmaf_(-scales[r].min[0], x_sums[0], sums[r]));
            else if constexpr (kHasMin<t>)
                sums[r] = fmaf_(-scales[r].min[0], x_sums[0] + x_sums[1], sums[r]);
        }
    }
};

template <DType t>
requires(!kOnTensorCores<t>) struct StepWeights<t> {
    Group<t> groups[2];

    NEOX_DEVICE explicit StepWeights(const Group<t> (&from)[2]) : groups{from[0], from[1]} {}

    NEOX_DEVICE static float value(const Group<t>& group, int column) {
        if constexpr (t == DType::F32) return float_of_bits(group.codes[column]);
        const std::uint32_t pair = group.codes[column / 2];
        return float_of_bits(column % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
    }

    NEOX_DEVICE void multiply(const std::byte* record, float (&sums)[2]) const {
        const int group = lane() % 4;
        float parts[2][2] = {};  // of the first and the last 16 columns
        NEOX_UNROLL
        for (int p = 0; p < 8; ++p) {
            const Words4 x = load_16_shared(record + 128 * group + 16 * (p ^ group));
            NEOX_UNROLL
            for (int i = 0; i < 4; ++i) {
                const float xi = float_of_bits(x.x[i]);
                NEOX_UNROLL
                for (int r = 0; r < 2; ++r)
                    parts[r][p / 4] = fmaf_(value(groups[r], 4 * p + i), xi, parts[r][p / 4]);
            }
        }
        NEOX_UNROLL
        for (int r = 0; r < 2; ++r) sums[r] += parts[r][0] + parts[r][1];
    }
};

template <DType t, int kRows> class Matvec {
public:
    NEOX_DEVICE explicit Matvec(const MatvecKernelArgs& args)
        : a_(args.a), k_(args), shared_(*shared_as<MatvecShared<kRows>>()),
          begin_(static_cast<int>(std::int64_t{args.n_steps} * warp() / kSlices)),
          n_own_(static_cast<int>(std::int64_t{args.n_steps} * (warp() + 1) / kSlices) - begin_) {}

    NEOX_DEVICE void run() {
        int tile = block_id().x;
        NEOX_UNROLL
        for (int d = 0; d < kAhead; ++d)
            if (d < n_own_) load(tile, d, ahead_[d]);
        let_next_kernel_start();
        wait_for_previous_kernel();
        find_facts();
        const int n_loops = (k_.n_steps + kSlices - 1) / kSlices;  // of the longest slice
        for (int parity = 0; tile < k_.n_tiles; tile += grid_size().x, parity ^= 1) {
            const bool is_first = tile == block_id().x;
            const Added early = kRows == 1 ? added(tile) : Added{};
            float sums[kRows][2] = {};
            int kept = 0;  // from which step on
            for (int k = 0; k < n_loops; k += kAhead) {
                if (k == kept + k_.n_kept) kept = k;
                if (k == kept && (is_first || k_.n_kept < n_loops)) keep(k);
                NEOX_UNROLL
                for (int d = 0; d < kAhead; ++d)
                    if (k + d < n_own_) step(tile, k + d, records(k + d - kept), ahead_[d], sums);
            }
            finish(tile, shared_.results[parity], sums, early);
        }
    }

private:
    static constexpr int kAhead = kStepsAhead<t, kRows>;
    // Otherwise there would be twice as many registers of weights.
    static constexpr bool kReloadsEarly = kCodeWords<t> < 32;

    NEOX_DEVICE bool is_there(int row) const { return kRows == 1 || row < a_.n; }

    NEOX_DEVICE void load(int tile, int k, Group<t> (&groups)[2]) const {
        const int row = tile * kTileRows + lane() / 4, group = (begin_ + k) * kStepGroups + lane() % 4;
        groups[0] = load_group<t>(a_.w, row, group);
        groups[1] = load_group<t>(a_.w, row + kTileRows / 2, group);
    }

    // The next step that takes the place of step k. One place for both cases: the compiler would keep the addresses of the second.
    NEOX_DEVICE void reload(int tile, int k, Group<t> (&groups)[2]) const {
        const bool is_same = k + kAhead < n_own_;
        const int next = is_same ? k + kAhead : k % kAhead;
        const int next_tile = is_same ? tile : tile + grid_size().x;
        if (next_tile < k_.n_tiles) load(next_tile, next, groups);
    }

    NEOX_DEVICE void step(int tile, int k, const std::byte* x, Group<t> (&groups)[2],
                          float (&sums)[kRows][2]) const {
        const StepWeights<t> weights(groups);
        if constexpr (kReloadsEarly) reload(tile, k, groups);
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row)
            if (is_there(row)) weights.multiply(x + row * kRecordBytes<t>, sums[row]);
        if constexpr (!kReloadsEarly) reload(tile, k, groups);
    }

    // --- Activations.

    NEOX_DEVICE std::byte* records(int kept) const {
        return shared_memory() + sizeof(MatvecShared<kRows>) +
               static_cast<std::size_t>((warp() * k_.n_kept + kept) * a_.n) * kRecordBytes<t>;
    }

    // of_quad(k, row, column, x) for this lane's four columns of each of the slice's steps [first, end), in every row of x,
    // normalized if wanted. Only columns before n_cols count. All loads of a few quads come before their use; more of them would
    // drive weights that are under way out of the registers.
    template <bool kIsResult, class OfQuad>
    NEOX_DEVICE void for_quads(int first, int end, OfQuad of_quad) const {
        constexpr int kAtOnce = kQuadsAtOnce<t, kRows>, kRowsAtOnce = kRows == 1 ? 1 : 4;
        const bool has_norm = kIsResult && a_.norm_weight;
        for (int k = first; k < end; k += kAtOnce) {
            Quad weight[kAtOnce], bias[kAtOnce];
            if (has_norm) {
                NEOX_UNROLL
                for (int i = 0; i < kAtOnce; ++i) {
                    weight[i] = load_quad(a_.norm_weight + known_column(k + i, end));
                    bias[i] = load_quad(a_.norm_bias + known_column(k + i, end));
                }
            }
            NEOX_UNROLL
            for (int row = 0; row < kRows; row += kRowsAtOnce) {
                Quad x[kAtOnce][kRowsAtOnce];
                NEOX_UNROLL
                for (int i = 0; i < kAtOnce; ++i) NEOX_UNROLL
                for (int r = 0; r < kRowsAtOnce; ++r)
                    if (is_there(row + r))
                        x[i][r] = load_quad(a_.x + (row + r) * a_.x_stride + known_column(k + i, end));
                NEOX_UNROLL
                for (int i = 0; i < kAtOnce; ++i) {
                    if (k + i >= end) continue;
                    const int column = column_of(k + i);
                    NEOX_UNROLL
                    for (int r = 0; r < kRowsAtOnce; ++r) {
                        if (!is_there(row + r)) continue;
                        if (has_norm) normalize(x[i][r], shared_.facts[row + r], weight[i], bias[i]);
                        NEOX_UNROLL
                        for (int j = 0; j < 4; ++j)
                            if (column + j >= a_.n_cols) x[i][r].v[j] = 0.0f;
                        of_quad(k + i, row + r, column, x[i][r]);
                    }
                }
            }
        }
    }
    NEOX_DEVICE int column_of(int k) const { return (begin_ + k) * kStepColumns + 4 * lane(); }

    // Of a step that there is, and of columns that there are; else the first.
    NEOX_DEVICE int known_column(int k, int end) const {
        const int column = column_of(k);
        return k < end && column < a_.n_cols ? column : 0;
    }

    NEOX_DEVICE static void normalize(Quad& x, const RowFacts& facts, const Quad& weight, const Quad& bias) {
        NEOX_UNROLL
        for (int j = 0; j < 4; ++j)
            x.v[j] = fmaf_((x.v[j] - facts.mean) * facts.factor, weight.v[j], bias.v[j]);
    }

    // What all threads of the block found, as one; the same bits in each of them.
    template <class OfWarp, class OfTwo>
    NEOX_DEVICE void reduce(float (&found)[kRows], int place, OfWarp of_warp, OfTwo of_two) {
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row)
            if (is_there(row)) {
                const float of_lanes = of_warp(found[row]);
                if (lane() == 0) shared_.reduced[place][row][warp()] = of_lanes;
            }
        sync_block();
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row)
            if (is_there(row)) {
                found[row] = shared_.reduced[place][row][0];
                NEOX_UNROLL
                for (int i = 1; i < kSlices; ++i)
                    found[row] = of_two(found[row], shared_.reduced[place][row][i]);
            }
    }
    NEOX_DEVICE static float add(float a, float b) { return a + b; }
    NEOX_DEVICE static float larger(float a, float b) { return b > a ? b : a; }

    NEOX_DEVICE void find_facts() {
        if (a_.norm_weight) find_norm();
        float largest[kRows] = {};
        if constexpr (kOnTensorCores<t>) {
            for_quads<true>(0, n_own_, [&](int, int row, int, const Quad& x) {
                NEOX_UNROLL
                for (int j = 0; j < 4; ++j)
                    largest[row] = larger(largest[row], x.v[j] < 0.0f ? -x.v[j] : x.v[j]);
            });
            reduce(largest, 2, warp_max, larger);
        }
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row)
            if (is_there(row) && thread_id() == row) set_scale(shared_.facts[row], largest[row]);
        sync_block();
    }

    NEOX_DEVICE void find_norm() {
        const auto n = static_cast<float>(a_.n_cols);
        float mean[kRows] = {}, squares[kRows] = {};
        for_quads<false>(0, n_own_, [&](int, int row, int, const Quad& x) {
            mean[row] += (x.v[0] + x.v[1]) + (x.v[2] + x.v[3]);
        });
        reduce(mean, 0, warp_sum, add);
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row) mean[row] /= n;
        for_quads<false>(0, n_own_, [&](int, int row, int column, const Quad& x) {
            NEOX_UNROLL
            for (int j = 0; j < 4; ++j) {
                const float centred = column + j < a_.n_cols ? x.v[j] - mean[row] : 0.0f;
                squares[row] = fmaf_(centred, centred, squares[row]);
            }
        });
        reduce(squares, 1, warp_sum, add);
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row)
            if (is_there(row) && thread_id() == row) {
                shared_.facts[row].mean = mean[row];
                shared_.facts[row].factor = rsqrtf_(squares[row] / n + a_.norm_eps);
            }
        sync_block();
    }

    // The largest magnitude becomes one of [2^14, 2^15): nothing overflows in f16, and what lies 2^16 below is still whole. None
    // for zeros, and for infinity, which is to show: as NaN, which its low part is. Both numbers are normal.
    NEOX_DEVICE static void set_scale(RowFacts& facts, float largest) {
        const auto exponent = static_cast<int>(bits_of_float(largest) >> 23);
        int wanted = 268 - (exponent < 1 ? 1 : exponent);
        if (wanted > 253) wanted = 253;
        if (largest == 0.0f || exponent == 255) wanted = 127;
        const PowerOfTwo power = power_of_two(wanted);
        facts.scale = power.value;
        facts.inverse = power.inverse;
    }

    // The activations of this warp's steps from k on, which it alone will read.
    NEOX_DEVICE void keep(int first) {
        const int group = lane() / 8, p = lane() % 8;
        sync_warp();  // those before them have been read
        const int end = n_own_ < first + k_.n_kept ? n_own_ : first + k_.n_kept;
        for_quads<true>(first, end, [&](int k, int row, int, Quad& x) {
            std::byte* record = records(k - first) + row * kRecordBytes<t>;
            std::byte* to = record + 128 * group;
            if constexpr (kOnTensorCores<t>) {
                NEOX_UNROLL
                for (float& value : x.v) value *= shared_.facts[row].scale;
                store_parts(x, to + 16 * (p / 2 ^ group) + 8 * (p % 2));
            } else {
                store_quad(reinterpret_cast<float*>(to + 16 * (p ^ group)), x);
            }
            if constexpr (kHasMin<t>) {
                float sum = (x.v[0] + x.v[1]) + (x.v[2] + x.v[3]);
                sum += shuffle_xor(sum, 1);
                sum += shuffle_xor(sum, 2);
                auto* sums = reinterpret_cast<float*>(record + kRecordSums);
                if (p % 4 == 0) sums[2 * group + p / 4] = sum;
            }
        });
        sync_warp();
    }

    // The high parts of four columns, and the low parts four pieces further.
    NEOX_DEVICE static void store_parts(const Quad& x, std::byte* to) {
        const std::uint32_t first = pack_f16(x.v[0], x.v[1]), second = pack_f16(x.v[2], x.v[3]);
        store_8(to, {{first, second}});
        store_8(to + 64, {{pack_f16(x.v[0] - first_f16(first), x.v[1] - second_f16(first)),
                           pack_f16(x.v[2] - first_f16(second), x.v[3] - second_f16(second))}});
    }

    // --- Results. Thread 16 t + r finishes row r of the tile for row t of x.

    NEOX_DEVICE bool has_result(int tile) const {
        return thread_id() < kTileRows * a_.n && tile * kTileRows + thread_id() % kTileRows < a_.w.n_rows;
    }
    // Loaded before the product where there are registers for it.
    struct Added {
        float bias, residual;
    };
    NEOX_DEVICE Added added(int tile) const {
        Added found{0.0f, 0.0f};
        if (!has_result(tile)) return found;
        const int row = tile * kTileRows + thread_id() % kTileRows;
        if (a_.epilogue.bias) found.bias = a_.epilogue.bias[row];
        if (a_.epilogue.residual)
            found.residual =
                a_.epilogue.residual[thread_id() / kTileRows * a_.epilogue.residual_stride + row];
        return found;
    }

    NEOX_DEVICE void finish(int tile, float (&results)[kSlices][kRows * kTileRows], float (&sums)[kRows][2],
                            const Added& early) const {
        NEOX_UNROLL
        for (int row = 0; row < kRows; ++row) {
            if (!is_there(row)) continue;
            NEOX_UNROLL
            for (int r = 0; r < 2; ++r) {
                sums[row][r] += shuffle_xor(sums[row][r], 1);
                sums[row][r] += shuffle_xor(sums[row][r], 2);
            }
            if (lane() % 4 == 0) {
                results[warp()][row * kTileRows + lane() / 4] = sums[row][0];
                results[warp()][row * kTileRows + lane() / 4 + kTileRows / 2] = sums[row][1];
            }
        }
        sync_block();
        if (!has_result(tile)) return;
        float value = results[0][thread_id()];
        NEOX_UNROLL
        for (int slice = 1; slice < kSlices; ++slice) value += results[slice][thread_id()];
        const int row = thread_id() / kTileRows;
        const Added add = kRows == 1 ? early : added(tile);
        value = value * shared_.facts[row].inverse + add.bias;
        if (a_.epilogue.activation == Activation::gelu_erf) value = gelu_erf(value);
        if (a_.epilogue.activation == Activation::gelu_tanh) value = gelu_tanh(value);
        a_.y[row * a_.y_stride + tile * kTileRows + thread_id() % kTileRows] = value + add.residual;
    }

    const MatvecArgs& a_;
    const MatvecKernelArgs& k_;
    MatvecShared<kRows>& shared_;
    int begin_, n_own_;  // this warp's steps
    Group<t> ahead_[kAhead][2];
};

template <DType t, int kRows>
NEOX_KERNEL void NEOX_BOUNDS(kMatvecThreads, (kMatvecBlocks<t, kRows>)) matvec_kernel(MatvecKernelArgs args) {
    Matvec<t, kRows>(args).run();
}

template <DType t, int kRows> MatvecKernel matvec_kernel_of_rows() {
    return {matvec_kernel<t, kRows>, sizeof(MatvecShared<kRows>), kRecordBytes<t>, kMatvecBlocks<t, kRows>};
}

template <DType t> MatvecKernel matvec_kernel_of(MatvecSize size) {
    switch (size) {
        case MatvecSize::one: return matvec_kernel_of_rows<t, 1>();
        case MatvecSize::four: return matvec_kernel_of_rows<t, 4>();
        default: return matvec_kernel_of_rows<t, 8>();
    }
}

}  // namespace neox::cuda
