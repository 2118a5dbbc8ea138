// The matrix products of a layer: which kernel for which rows, and how rows are prepared for it.
#include "cuda/forward.h"
#include "cuda/matmul.h"
#include "cuda/matvec.h"
#include "cuda/norm.h"

namespace neox::cuda {

namespace {

Epilogue from_row(Epilogue epilogue, int row) {
    if (epilogue.residual) epilogue.residual += row * epilogue.residual_stride;
    return epilogue;
}

Rows from_row(Rows rows, int row) { return {rows.data + row * rows.stride, rows.stride}; }

// What project() was asked for, of one range of rows.
struct Work {
    const MatrixView& w;
    int n_cols;
    Rows x, y;
    Epilogue epilogue;
    const RowNorm* norm;
    int n;
};

void multiply_columns(CudaState& s, const Work& work) {
    MatvecArgs args{};
    args.w = work.w;
    args.x = work.x.data;
    args.x_stride = work.x.stride;
    args.n = work.n;
    args.n_cols = work.n_cols;
    if (work.norm) {
        args.norm_weight = work.norm->weight;
        args.norm_bias = work.norm->bias;
        args.norm_eps = s.weights.config.norm_eps;
    }
    args.epilogue = work.epilogue;
    args.y = work.y.data;
    args.y_stride = work.y.stride;
    args.shared_bytes = s.facts.shared_bytes;
    args.n_multiprocessors = s.facts.n_multiprocessors;
    launch_matvec(s.stream, args);
}

void multiply_tensor(CudaState& s, const Work& work) {
    const Op product = s.times.enter(work.norm ? Op::norm : Op::quantize);
    const std::int64_t stride = row_stride(work.n_cols);
    NormArgs rounded{};
    rounded.x = work.x.data;
    rounded.x_stride = work.x.stride;
    rounded.n_rows = work.n;
    rounded.n_cols = work.n_cols;
    if (work.norm) {
        rounded.weight = work.norm->weight;
        rounded.bias = work.norm->bias;
        rounded.eps = s.weights.config.norm_eps;
    }
    rounded.y16 = s.scratch.rounded.data();
    rounded.y16_stride = stride;
    rounded.scale = s.scratch.row_scales.data();
    launch_norm(s.stream, rounded);
    s.times.enter(product);
    MatmulArgs args{};
    args.weights = work.w;
    args.x = s.scratch.rounded.data();
    args.x_stride = stride;
    args.x_scale = s.scratch.row_scales.data();
    args.n_tokens = work.n;
    args.epilogue = work.epilogue;
    args.y = work.y.data;
    args.y_stride = work.y.stride;
    args.partial = s.scratch.partial.data();
    args.tickets = s.scratch.tickets.data();
    args.n_multiprocessors = s.facts.n_multiprocessors;
    launch_matmul(s.stream, args);
}

void multiply_f32(CudaState& s, const Work& work) {
    Rows x = work.x;
    if (work.norm) {
        const Op product = s.times.enter(Op::norm);
        x = {s.scratch.norm.data(), work.x.stride};
        layer_norm(s, work.x, x, *work.norm, work.n);
        s.times.enter(product);
    }
    MatmulExactArgs args{};
    args.weights = work.w;
    args.x = x.data;
    args.x_stride = x.stride;
    args.n_tokens = work.n;
    args.epilogue = work.epilogue;
    args.y = work.y.data;
    args.y_stride = work.y.stride;
    launch_matmul_exact(s.stream, args);
}

}  // namespace

void layer_norm(CudaState& s, Rows x, Rows y, const RowNorm& norm, int n_rows) {
    NormArgs args{};
    args.x = x.data;
    args.x_stride = x.stride;
    args.n_rows = n_rows;
    args.n_cols = s.weights.config.n_embd;
    args.weight = norm.weight;
    args.bias = norm.bias;
    args.eps = s.weights.config.norm_eps;
    args.y = y.data;
    args.y_stride = y.stride;
    launch_norm(s.stream, args);
}

void project(CudaState& s, const MatrixView& w, int n_cols, Rows x, Rows y, const Epilogue& epilogue,
             const RowNorm* norm, int n_prompt, int n_step) {
    const ProductPlan plan = plan_products(s.options, n_prompt, n_step);
    for (const RowRange& range : plan.ranges) {
        if (range.n == 0) continue;
        const auto multiply = range.product == Product::columns  ? multiply_columns
                              : range.product == Product::tensor ? multiply_tensor
                                                                 : multiply_f32;
        multiply(s, {w, n_cols, from_row(x, range.begin), from_row(y, range.begin),
                     from_row(epilogue, range.begin), norm, range.n});
    }
}

}  // namespace neox::cuda
