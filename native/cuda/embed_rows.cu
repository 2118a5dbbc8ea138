#include "cuda/embed_rows.h"

#include "cuda/formats.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 128;

NEOX_DEVICE void copy_given(const EmbedRowsArgs& a, const float* from, float* to) {
    for (int c = thread_id(); c < a.stride; c += kThreads) to[c] = c < a.n_cols ? from[c] : 0.0f;
}

// A block per row, a thread per group.
template <DType t> NEOX_KERNEL void embed_rows(EmbedRowsArgs a) {
    let_next_kernel_start();
    const int row = block_id().x;
    const std::int32_t token = a.tokens[row];
    float* to = a.out + static_cast<std::int64_t>(row) * a.stride;
    if (token < 0) {
        copy_given(a, a.given + static_cast<std::int64_t>(-1 - token) * a.n_cols, to);
        return;
    }
    for (int index = thread_id(); index < a.stride / kGroupColumns; index += kThreads) {
        float w[kGroupColumns];
        unpack(load_group<t>(a.embedding, token, index), w);
        NEOX_UNROLL
        for (int i = 0; i < kGroupColumns; i += 4)
            store_16(to + index * kGroupColumns + i, {{bits_of_float(w[i]), bits_of_float(w[i + 1]),
                                                       bits_of_float(w[i + 2]), bits_of_float(w[i + 3])}});
    }
}

}  // namespace

void launch_embed_rows(Stream& stream, const EmbedRowsArgs& args) {
    LaunchShape shape;
    shape.x = args.n_rows;
    shape.n_threads = kThreads;
    if (shape.x == 0) return;
    with_format(args.embedding.dtype, [&]<DType t>() { stream.launch(embed_rows<t>, shape, args); });
}

}  // namespace neox::cuda
