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

void layer_norm(CpuState& s, const float* x, const AlignedBuffer<float>& weight,
                const AlignedBuffer<float>& bias) {
    const std::int64_t n_embd = s.weights.config.n_embd, stride = panel_stride(n_embd);
    s.pool.parallel_for(s.act.rows.size(), [&](std::size_t i, int) {
        const std::int64_t row = static_cast<std::int64_t>(i);
        s.kernels.layer_norm(x + row * stride, weight.data(), bias.data(), s.weights.config.norm_eps, n_embd,
                             s.act.norm.data() + row * n_embd);
    });
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
    const Activation gelu =
        c.hidden_act == HiddenAct::gelu_erf ? Activation::gelu_erf : Activation::gelu_tanh;

    // qkv = W_qkv ln1(x) + b
    s.watch.enter(Op::norm);
    layer_norm(s, a.x.data(), w.attn_norm, w.attn_norm_bias);
    observe(&InputSquares::attn_qkv, a.norm.data(), c.n_embd);
    s.watch.enter(Op::qkv);
    project(s, w.attn_qkv, a.norm.data(), a.qkv.data(), panel_stride(3 * std::int64_t{c.n_embd}),
            {.bias = w.attn_qkv_bias.data()});
    s.watch.enter(Op::attention);
    attention(s, batch, index);
    observe(&InputSquares::attn_output, a.attn.data(), c.n_embd);
    // mid = x + W_o attn + b
    s.watch.enter(Op::dense);
    project(s, w.attn_output, a.attn.data(), a.mid.data(), stride,
            {.bias = w.attn_output_bias.data(), .residual = a.x.data(), .residual_stride = stride});
    // x = mid + W_down gelu(W_up ln2(h) + b) + b, where h is mid, or the layer's input under the parallel residual
    s.watch.enter(Op::norm);
    layer_norm(s, c.parallel_residual ? a.x.data() : a.mid.data(), w.ffn_norm, w.ffn_norm_bias);
    observe(&InputSquares::ffn_up, a.norm.data(), c.n_embd);
    s.watch.enter(Op::fc1);
    project(s, w.ffn_up, a.norm.data(), a.ffn.data(), ff_stride,
            {.bias = w.ffn_up_bias.data(), .activation = gelu});
    close_gaps(a.ffn.data(), a.rows.size(), c.n_ff, ff_stride);
    observe(&InputSquares::ffn_down, a.ffn.data(), c.n_ff);
    s.watch.enter(Op::fc2);
    project(s, w.ffn_down, a.ffn.data(), a.x.data(), stride,
            {.bias = w.ffn_down_bias.data(), .residual = a.mid.data(), .residual_stride = stride});
    s.watch.enter(Op::other);
}

}  // namespace

bool is_cancelled(const Batch& batch, const Row& row) {
    const std::atomic<std::int32_t>* flag = batch.sequences[row.sequence].cancel;
    return flag && flag->load(std::memory_order_relaxed) != 0;
}

void project(CpuState& s, const ResidentMatrix& w, const float* x, float* y, std::int64_t y_stride,
             const Epilogue& epilogue) {
    const Precision precision = s.options.precision;
    const auto arithmetic = [&](Arithmetic wanted) {
        return usable_arithmetic(s.kernels, w.dtype, w.n_cols,
                                 precision == Precision::exact ? Arithmetic::f32 : wanted);
    };
    const Arithmetic prompt = arithmetic(precision == Precision::high ? Arithmetic::int16 : Arithmetic::q8),
                     step = arithmetic(Arithmetic::q15);
    const auto run = [&](Arithmetic how, int first, int n) {
        if (n == 0) return;
        const Op product = s.watch.enter(Op::quantize);
        const Activations in =
            s.quantized.prepare(s.pool, s.kernels, w.dtype, how, x + first * w.n_cols, n, w.n_cols);
        s.watch.enter(product);
        Epilogue part = epilogue;
        if (part.residual) part.residual += first * part.residual_stride;
        matmul(s.pool, s.kernels, w, in, y + first * y_stride, y_stride, part);
    };
    const int n = static_cast<int>(s.act.rows.size());
    if (prompt == step) {
        run(prompt, 0, n);
    } else {
        run(prompt, 0, s.act.n_prompt);
        run(step, s.act.n_prompt, n - s.act.n_prompt);
    }
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

void forward(CpuState& s, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
             float* carry) {
    const Config& c = s.weights.config;
    if (layer_begin < 0 || layer_end > c.n_layer || layer_begin > layer_end)
        fail(ErrorCode::internal, "Layers [", layer_begin, ", ", layer_end, ") of ", c.n_layer, ".");
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
