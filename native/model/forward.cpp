#include "model/forward.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace neox {

namespace {

void check_row(const CpuState& s, const Batch& batch, const Row& row) {
    const Config& c = s.weights.config;
    if (row.sequence < 0 || row.sequence >= batch.n_sequences)
        fail(ErrorCode::internal, "Row names sequence ", row.sequence, " of ", batch.n_sequences, ".");
    if (row.pos < 0 || row.pos >= s.options.n_ctx)
        fail(ErrorCode::context_full, "Position ", row.pos, " is outside the context of ", s.options.n_ctx,
             ".");
    if (row.rope_length <= row.pos || row.rope_length > s.options.n_ctx)
        fail(ErrorCode::internal, "Position ", row.pos, " is rotated as one of ", row.rope_length, ".");
    if (row.pos / kKvBlock >= batch.sequences[row.sequence].n_blocks)
        fail(ErrorCode::internal, "Position ", row.pos, " has no KV block.");
    for (std::int32_t i = 0; i < row.n_targets; ++i)
        if (row.targets[i] < 0 || row.targets[i] >= c.n_vocab)
            fail(ErrorCode::invalid_argument, "Target id ", row.targets[i], " is outside the vocabulary of ",
                 c.n_vocab, ".");
    if (!row.embedding && (row.token < 0 || row.token >= c.n_vocab))
        fail(ErrorCode::invalid_argument, "Token id ", row.token, " is outside the vocabulary of ", c.n_vocab,
             ".");
}

// Starts from embeddings: x = embed_in[token], or the row's own vector. Prompt rows go first, so that each arithmetic
// has one contiguous range.
void begin_rows(CpuState& s, const Batch& batch, const float* carry) {
    const std::int64_t n_embd = s.weights.config.n_embd, stride = panel_stride(n_embd);
    Activity& a = s.act;
    a.rows.clear();
    for (int i = 0; i < batch.n_rows; ++i) {
        check_row(s, batch, batch.rows[i]);
        a.rows.push_back(&batch.rows[i]);
    }
    s.rope.prepare(batch);
    const auto first_step = std::stable_partition(
        a.rows.begin(), a.rows.end(), [](const Row* row) { return row->phase == RowPhase::prompt; });
    a.n_prompt = static_cast<int>(first_step - a.rows.begin());
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
        const Row& row = *a.rows[i];
        float* x = a.x.data() + static_cast<std::int64_t>(i) * stride;
        if (carry)
            std::memcpy(x, carry + (&row - batch.rows) * n_embd,
                        static_cast<std::size_t>(n_embd) * sizeof(float));
        else if (row.embedding)
            std::memcpy(x, row.embedding, static_cast<std::size_t>(n_embd) * sizeof(float));
        else
            s.weights.embed(row.token, x);
    }
}

// Between layers: rows of cancelled sequences leave; nobody else's bits depend on them.
void drop_cancelled(CpuState& s, const Batch& batch) {
    const std::int64_t stride = panel_stride(s.weights.config.n_embd);
    Activity& a = s.act;
    std::size_t kept = 0;
    int n_prompt = 0;
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
        const Row* row = a.rows[i];
        if (is_cancelled(batch, *row)) {
            if (row->status) *row->status = RowStatus::dropped;
            continue;
        }
        if (row->phase == RowPhase::prompt) ++n_prompt;
        if (kept != i) {
            a.rows[kept] = row;
            std::memcpy(a.x.data() + static_cast<std::int64_t>(kept) * stride,
                        a.x.data() + static_cast<std::int64_t>(i) * stride,
                        static_cast<std::size_t>(stride) * sizeof(float));
        }
        ++kept;
    }
    a.rows.resize(kept);
    a.n_prompt = n_prompt;
}

// The matrix products want contiguous rows; a feed-forward size that is no multiple of 16 leaves gaps.
void close_gaps(float* x, std::size_t n_rows, std::int64_t n, std::int64_t stride) {
    if (n == stride) return;
    for (std::size_t i = 1; i < n_rows; ++i)
        std::memmove(x + static_cast<std::int64_t>(i) * n, x + static_cast<std::int64_t>(i) * stride,
                     static_cast<std::size_t>(n) * sizeof(float));
}

void run_layer(CpuState& s, const Batch& batch, std::int32_t index) {
    const Config& c = s.weights.config;
    const CpuLayer& w = s.weights.layers[static_cast<std::size_t>(index)];
    Activity& a = s.act;
    const std::int64_t stride = panel_stride(c.n_embd), ff_stride = panel_stride(c.n_ff);
    const InputSquares* squares = batch.input_squares;
    const auto observe = [&](double* InputSquares::*sums, const float* x, std::int64_t n_cols) {
        if (squares) add_squares(s, x, n_cols, squares->*sums + index * n_cols);
    };
    // The norms of rows that are not observed are left to the products.
    const auto observe_norm = [&](double* InputSquares::*sums, const float* x, const RowNorm& norm) {
        if (!squares) return;
        layer_norm(s, x, norm, 0, static_cast<int>(a.rows.size()));
        observe(sums, a.norm.data(), c.n_embd);
    };
    const Activation gelu =
        c.hidden_act == HiddenAct::gelu_erf ? Activation::gelu_erf : Activation::gelu_tanh;
    const RowNorm norm1{w.attn_norm.data(), w.attn_norm_bias.data(), c.norm_eps},
        norm2{w.ffn_norm.data(), w.ffn_norm_bias.data(), c.norm_eps};

    // qkv = W_qkv ln1(x) + b
    observe_norm(&InputSquares::attn_qkv, a.x.data(), norm1);
    s.watch.enter(Op::qkv);
    project(s, w.attn_qkv, a.x.data(), a.qkv.data(), panel_stride(3 * std::int64_t{c.n_embd}),
            {.bias = w.attn_qkv_bias.data()}, &norm1);
    s.watch.enter(Op::attention);
    attention(s, batch, index);
    observe(&InputSquares::attn_output, a.attn.data(), c.n_embd);
    // mid = x + W_o attn + b
    s.watch.enter(Op::dense);
    project(s, w.attn_output, a.attn.data(), a.mid.data(), stride,
            {.bias = w.attn_output_bias.data(), .residual = a.x.data(), .residual_stride = stride});
    // x = mid + W_down gelu(W_up ln2(h) + b) + b, where h is mid, or the layer's input under the parallel residual
    const float* h = c.parallel_residual ? a.x.data() : a.mid.data();
    observe_norm(&InputSquares::ffn_up, h, norm2);
    const int first = squares ? 0 : chain_feed_forward(s, w, h, norm2, gelu);
    s.watch.enter(Op::fc1);
    project(s, w.ffn_up, h, a.ffn.data(), ff_stride, {.bias = w.ffn_up_bias.data(), .activation = gelu},
            &norm2, first);
    close_gaps(a.ffn.data(), a.rows.size(), c.n_ff, ff_stride);
    observe(&InputSquares::ffn_down, a.ffn.data(), c.n_ff);
    s.watch.enter(Op::fc2);
    project(s, w.ffn_down, a.ffn.data(), a.x.data(), stride,
            {.bias = w.ffn_down_bias.data(), .residual = a.mid.data(), .residual_stride = stride}, nullptr,
            first);
    s.watch.enter(Op::other);
}

}  // namespace

bool is_cancelled(const Batch& batch, const Row& row) {
    const std::atomic<std::int32_t>* flag = batch.sequences[row.sequence].cancel;
    return flag && flag->load(std::memory_order_relaxed) != 0;
}

void forward(CpuState& s, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
             float* carry) {
    const Config& c = s.weights.config;
    if (layer_begin < 0 || layer_end > c.n_layer || layer_begin > layer_end)
        fail(ErrorCode::internal, "Layers [", layer_begin, ", ", layer_end, ") of ", c.n_layer, ".");
    if (layer_begin < layer_end && (layer_begin < s.kv.layer_begin() || layer_end > s.kv.layer_end()))
        fail(ErrorCode::internal, "Layers [", layer_begin, ", ", layer_end, ") of a backend for [",
             s.kv.layer_begin(), ", ", s.kv.layer_end(), ").");
    if (batch.n_rows > s.options.max_rows)
        fail(ErrorCode::internal, "A batch of ", batch.n_rows, " rows exceeds ", s.options.max_rows, ".");
    const Stopwatch::Run measured(s.watch, batch.profile, s.pool);
    begin_rows(s, batch, layer_begin > 0 ? carry : nullptr);
    for (std::int32_t layer = layer_begin; layer < layer_end; ++layer) {
        drop_cancelled(s, batch);
        if (s.act.rows.empty()) return;
        run_layer(s, batch, layer);
    }
    drop_cancelled(s, batch);
    if (carry)
        for (std::size_t i = 0; i < s.act.rows.size(); ++i)
            std::memcpy(carry + (s.act.rows[i] - batch.rows) * c.n_embd,
                        s.act.x.data() + static_cast<std::int64_t>(i) * panel_stride(c.n_embd),
                        static_cast<std::size_t>(c.n_embd) * sizeof(float));
    if (layer_end == c.n_layer) write_outputs(s, batch);
}

}  // namespace neox
