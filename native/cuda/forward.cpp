#include "cuda/forward.h"

#include <algorithm>
#include <cstring>

#include "cuda/embed_rows.h"
#include "cuda/norm.h"
#include "cuda/row_moves.h"

namespace neox::cuda {

namespace {

// The host is so many layers ahead of the device in a long pass.
constexpr int kLayersAhead = 2;

Rows rows_of(const DeviceBuffer<float>& buffer, std::int64_t n_cols) {
    return {buffer.data(), row_stride(n_cols)};
}

template <class T> const T* input_at(const CudaState& s, std::size_t place) {
    return reinterpret_cast<const T*>(s.scratch.input.data() + place);
}

// x = embed_in[token], or what the host has of the row: its own vector, or what the layers before have left.
void begin_rows(CudaState& s) {
    const Config& c = s.weights.config;
    EmbedRowsArgs args{};
    args.embedding = s.model.token_embd;
    args.tokens = input_at<std::int32_t>(s, s.pass.layout().tokens);
    args.given = s.scratch.qkv.data();
    args.out = s.scratch.x.data();
    args.n_rows = s.pass.n_rows();
    args.n_cols = c.n_embd;
    args.stride = static_cast<std::int32_t>(row_stride(c.n_embd));
    launch_embed_rows(s.stream, args);
}

// attn = softmax(q K^T / sqrt(head_dim)) V, head by head; q and k rotated, k and v written to the cache.
void attention(CudaState& s, std::int32_t index) {
    const Config& c = s.weights.config;
    const InputLayout& at = s.pass.layout();
    LayerAttention layer{};
    layer.kv = s.kv.layer(index);
    layer.qkv = s.scratch.qkv.data();
    layer.qkv_stride = row_stride(3 * std::int64_t{c.n_embd});
    layer.out = s.scratch.attn.data();
    layer.out_stride = row_stride(c.n_embd);
    layer.rows = input_at<DeviceRow>(s, at.rows);
    layer.n_rows = s.pass.n_rows();
    layer.blocks = input_at<std::int32_t>(s, at.blocks);
    layer.blocks_stride = blocks_stride(s.options);
    layer.rope = s.rope.table();
    layer.n_rot = c.n_rot;
    launch_attention(s.stream, layer, s.attention, s.steps, input_at<RowGroup>(s, at.groups));
}

void run_layer(CudaState& s, std::int32_t index) {
    const Config& c = s.weights.config;
    const LayerWeights& w = s.model.layers[static_cast<std::size_t>(index)];
    const Rows x = rows_of(s.scratch.x, c.n_embd), mid = rows_of(s.scratch.mid, c.n_embd),
               norm = rows_of(s.scratch.norm, c.n_embd), attn = rows_of(s.scratch.attn, c.n_embd),
               qkv = rows_of(s.scratch.qkv, 3 * std::int64_t{c.n_embd}), ffn = rows_of(s.scratch.ffn, c.n_ff);
    const RowNorm norm1{w.attn_norm, w.attn_norm_bias}, norm2{w.ffn_norm, w.ffn_norm_bias};
    const int n_prompt = s.pass.n_prompt(), n_step = s.pass.n_step(), n = n_prompt + n_step;
    const InputSquares* squares = s.pass.batch().input_squares;
    const auto observe = [&](double* InputSquares::*sums, Rows rows, std::int64_t n_cols) {
        if (squares) add_squares(s, rows, n, n_cols, squares->*sums + index * n_cols);
    };
    const auto observe_norm = [&](double* InputSquares::*sums, Rows rows, const RowNorm& weights) {
        if (!squares) return;
        layer_norm(s, rows, norm, weights, n);
        observe(sums, norm, c.n_embd);
    };
    const Activation gelu =
        c.hidden_act == HiddenAct::gelu_erf ? Activation::gelu_erf : Activation::gelu_tanh;

    // qkv = W_qkv ln1(x) + b
    observe_norm(&InputSquares::attn_qkv, x, norm1);
    s.times.enter(Op::qkv);
    project(s, w.attn_qkv, c.n_embd, x, qkv, {.bias = w.attn_qkv_bias}, &norm1, n_prompt, n_step);
    s.times.enter(Op::attention);
    attention(s, index);
    observe(&InputSquares::attn_output, attn, c.n_embd);
    // mid = x + W_o attn + b
    s.times.enter(Op::dense);
    project(s, w.attn_output, c.n_embd, attn, mid,
            {.bias = w.attn_output_bias, .residual = x.data, .residual_stride = x.stride}, nullptr, n_prompt,
            n_step);
    // x = mid + W_down gelu(W_up ln2(h) + b) + b, where h is mid, or the layer's input under the parallel residual
    const Rows h = c.parallel_residual ? x : mid;
    observe_norm(&InputSquares::ffn_up, h, norm2);
    s.times.enter(Op::fc1);
    project(s, w.ffn_up, c.n_embd, h, ffn, {.bias = w.ffn_up_bias, .activation = gelu}, &norm2, n_prompt,
            n_step);
    observe(&InputSquares::ffn_down, ffn, c.n_ff);
    s.times.enter(Op::fc2);
    project(s, w.ffn_down, c.n_ff, ffn, x,
            {.bias = w.ffn_down_bias, .residual = mid.data, .residual_stride = mid.stride}, nullptr, n_prompt,
            n_step);
    s.times.enter(Op::other);
}

// Returns false where nobody waits for the rest any more.
bool run_layers(CudaState& s, std::int32_t layer_begin, std::int32_t layer_end) {
    const bool is_long = s.pass.n_prompt() >= kLongPass;
    for (std::int32_t layer = layer_begin; layer < layer_end; ++layer) {
        if (is_long) {
            Event& event = s.layer_events[layer % kLayersAhead];
            if (layer >= layer_begin + kLayersAhead) event.synchronize();
            if (s.pass.is_all_cancelled()) return false;
            run_layer(s, layer);
            s.stream.record(event);
        } else {
            run_layer(s, layer);
        }
    }
    return true;
}

void check_range(const CudaState& s, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end) {
    const Config& c = s.weights.config;
    if (layer_begin < 0 || layer_end > c.n_layer || layer_begin > layer_end)
        fail(ErrorCode::internal, "Layers [", layer_begin, ", ", layer_end, ") of ", c.n_layer, ".");
    const std::int32_t held_begin = s.options.layer_begin,
                       held_end = held_begin + s.options.n_layers(c.n_layer);
    if (layer_begin < layer_end && (layer_begin < held_begin || layer_end > held_end))
        fail(ErrorCode::internal, "Layers [", layer_begin, ", ", layer_end, ") of a backend for [",
             held_begin, ", ", held_end, ").");
    if (batch.n_rows > s.options.max_rows)
        fail(ErrorCode::internal, "A batch of ", batch.n_rows, " rows exceeds ", s.options.max_rows, ".");
}

// Drops the rows that are cancelled by now. Returns whether any is left.
bool drop_cancelled(CudaState& s) {
    bool any = false;
    for (const Row* row : s.pass.rows()) {
        const bool cancelled = s.pass.is_cancelled(*row);
        any = any || !cancelled;
        if (cancelled && row->status) *row->status = RowStatus::dropped;
    }
    return any;
}

GraphKey graph_key(const CudaState& s, std::int32_t layer_begin, std::int32_t layer_end) {
    GraphKey key{s.pass.n_rows(), layer_begin, layer_end, s.attention.stores ? 1 : 0, s.attention.n_tiles};
    for (const StepSlice& slice : s.attention.slices)
        key.insert(key.end(), {slice.group, slice.n_groups, slice.row, slice.group_rows, slice.n_splits});
    return key;
}

void read_carry(CudaState& s, float* carry) {
    const auto n_embd = static_cast<std::size_t>(s.weights.config.n_embd);
    const auto stride = static_cast<std::size_t>(row_stride(s.weights.config.n_embd));
    const auto n_rows = static_cast<std::size_t>(s.pass.n_rows());
    if (s.carried.size() < n_rows * stride) s.carried.reset(n_rows * stride);
    s.stream.copy_to_host(s.carried.data(), s.scratch.x.data(), n_rows * stride * sizeof(float));
    s.stream.synchronize();
    for (std::size_t i = 0; i < n_rows; ++i)
        if (!s.pass.is_cancelled(*s.pass.rows()[i]))
            std::memcpy(carry + s.pass.index(static_cast<int>(i)) * s.weights.config.n_embd,
                        s.carried.data() + i * stride, n_embd * sizeof(float));
}

void run_pass(CudaState& s, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
              float* carry) {
    check_range(s, batch, layer_begin, layer_end);
    s.pass.begin(batch);
    if (s.pass.n_rows() == 0) return;
    s.times.start(s.stream, batch.profile);
    s.attention = plan_attention(s.pass.set_rope(s.rope.prepare(s.stream, batch)), s.options.precision,
                                 s.options.kv_type, s.weights.config.head_dim(), s.steps);
    s.pass.upload(s.stream, s.attention.groups, layer_begin > 0 ? carry : nullptr, s.scratch.input.data(),
                  s.scratch.qkv.data());
    bool is_whole = true;
    if (s.pass.n_prompt() == 0 && !batch.input_squares && !s.times.is_on()) {
        s.graphs.launch(s.stream, graph_key(s, layer_begin, layer_end), [&] {
            begin_rows(s);
            run_layers(s, layer_begin, layer_end);
        });
    } else {
        begin_rows(s);
        is_whole = run_layers(s, layer_begin, layer_end);
    }
    if (is_whole && carry) read_carry(s, carry);
    if (is_whole && layer_end == s.weights.config.n_layer) write_outputs(s);
    // The staging memory is free again, and what failed on the device is told by this pass.
    s.stream.synchronize();
    drop_cancelled(s);
    s.times.finish();
}

}  // namespace

void forward(CudaState& s, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
             float* carry) {
    try {
        run_pass(s, batch, layer_begin, layer_end, carry);
    } catch (...) {
        // What was asked for may still read memory that the next pass fills.
        try {
            s.stream.synchronize();
        } catch (const Error&) {
        }
        throw;
    }
}

}  // namespace neox::cuda
