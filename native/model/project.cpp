// The matrix products of a layer: which arithmetic, how rows are rounded for it, and what can stay out of memory.
#include <algorithm>

#include "model/forward.h"

namespace neox {

namespace {

// How a product multiplies rows of prompts and rows of steps.
struct Arithmetics {
    Arithmetic prompt, step;
};
Arithmetics arithmetics(const CpuState& s, const ResidentMatrix& w) {
    const Precision precision = s.options.precision;
    const auto usable = [&](Arithmetic wanted) {
        return usable_arithmetic(s.kernels, w.dtype, w.n_cols,
                                 precision == Precision::exact ? Arithmetic::f32 : wanted);
    };
    return {usable(precision == Precision::high ? Arithmetic::int16 : Arithmetic::q8),
            usable(Arithmetic::q15)};
}

}  // namespace

void layer_norm(CpuState& s, const float* x, const RowNorm& norm, int first, int n) {
    const std::int64_t n_embd = s.weights.config.n_embd, stride = panel_stride(n_embd);
    s.pool.parallel_for(static_cast<std::size_t>(n), [&](std::size_t i, int) {
        const std::int64_t row = first + static_cast<std::int64_t>(i);
        s.kernels.layer_norm(x + row * stride, norm.weight, norm.bias, norm.eps, n_embd,
                             s.act.norm.data() + row * n_embd);
    });
}

void project(CpuState& s, const ResidentMatrix& w, const float* x, float* y, std::int64_t y_stride,
             const Epilogue& epilogue, const RowNorm* norm, int first) {
    const auto [prompt, step] = arithmetics(s, w);
    const auto prepare = [&](Arithmetic how, int begin, int n) {
        const float* rows = x + begin * w.n_cols;
        if (norm && how == Arithmetic::q8)
            return s.quantized.prepare_normalized(s.pool, s.kernels, w.dtype, rows, n, w.n_cols, *norm);
        if (norm) {
            s.watch.enter(Op::norm);
            layer_norm(s, x, *norm, begin, n);
            s.watch.enter(Op::quantize);
            rows = s.act.norm.data() + begin * w.n_cols;
        }
        return s.quantized.prepare(s.pool, s.kernels, w.dtype, how, rows, n, w.n_cols);
    };
    const auto run = [&](Arithmetic how, int begin, int end) {
        begin = std::max(begin, first);
        if (begin >= end) return;
        const Op product = s.watch.enter(Op::quantize);
        const Activations in = prepare(how, begin, end - begin);
        s.watch.enter(product);
        Epilogue part = epilogue;
        if (part.residual) part.residual += begin * part.residual_stride;
        matmul(s.pool, s.kernels, w, in, y + begin * y_stride, y_stride, part);
    };
    const int n = static_cast<int>(s.act.rows.size());
    if (prompt == step) {
        run(prompt, 0, n);
    } else {
        run(prompt, 0, s.act.n_prompt);
        run(step, s.act.n_prompt, n);
    }
}

int chain_feed_forward(CpuState& s, const CpuLayer& w, const float* h, const RowNorm& norm, Activation gelu) {
    Activity& a = s.act;
    const int n = a.n_prompt;
    if (n < 2 || arithmetics(s, w.ffn_up).prompt != Arithmetic::q8 ||
        arithmetics(s, w.ffn_down).prompt != Arithmetic::q8 || !can_chain(s.kernels, w.ffn_up, w.ffn_down))
        return 0;
    const std::int64_t stride = panel_stride(w.ffn_up.n_cols);
    s.watch.enter(Op::quantize);
    const Activations in =
        s.quantized.prepare_normalized(s.pool, s.kernels, w.ffn_up.dtype, h, n, w.ffn_up.n_cols, norm);
    RoundedResults rounded{};
    const Activations hidden =
        s.quantized_ffn.reserve(s.pool, s.kernels, w.ffn_down.dtype, n, w.ffn_down.n_cols, rounded);
    s.watch.enter(Op::fc1);
    matmul(s.pool, s.kernels, w.ffn_up, in, nullptr, 0,
           {.bias = w.ffn_up_bias.data(), .activation = gelu, .rounded = &rounded});
    s.watch.enter(Op::fc2);
    matmul(s.pool, s.kernels, w.ffn_down, hidden, a.x.data(), stride,
           {.bias = w.ffn_down_bias.data(), .residual = a.mid.data(), .residual_stride = stride});
    return n;
}

void add_squares(CpuState& s, const float* x, std::int64_t n_cols, double* sums) {
    constexpr std::int64_t kColumns = 512;
    const std::size_t n_rows = s.act.rows.size();
    s.pool.parallel_for(static_cast<std::size_t>((n_cols + kColumns - 1) / kColumns),
                        [&](std::size_t task, int) {
                            const std::int64_t begin = static_cast<std::int64_t>(task) * kColumns,
                                               end = std::min(begin + kColumns, n_cols);
                            for (std::size_t i = 0; i < n_rows; ++i) {
                                const float* row = x + static_cast<std::int64_t>(i) * n_cols;
                                for (std::int64_t k = begin; k < end; ++k)
                                    sums[k] += static_cast<double>(row[k]) * static_cast<double>(row[k]);
                            }
                        });
}

}  // namespace neox
