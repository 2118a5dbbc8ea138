// The end of the forward pass: final norm, head, and what each row wants of them. Logits of all rows never exist at
// once: they are made and used up in chunks of a few rows.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/forward.h"

namespace neox {

namespace {

constexpr std::size_t kHeadRows = 16;

bool wants_head(const Row& row) { return row.logits || row.argmax || row.n_targets > 0 || row.n_top > 0; }

// The n_top largest logits, ties by the smaller id.
void write_top(const Row& row, const float* logits, std::int32_t n_vocab, double log_normalizer) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(n_vocab));
    for (std::int32_t id = 0; id < n_vocab; ++id) ids[static_cast<std::size_t>(id)] = id;
    const std::int32_t n = std::min(row.n_top, n_vocab);
    std::partial_sort(ids.begin(), ids.begin() + n, ids.end(), [&](std::int32_t a, std::int32_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    for (std::int32_t i = 0; i < n; ++i) {
        row.top_ids[i] = ids[static_cast<std::size_t>(i)];
        row.top_logprobs[i] = static_cast<float>(
            static_cast<double>(logits[ids[static_cast<std::size_t>(i)]]) - log_normalizer);
    }
}

void write_row(const CpuState& s, const Row& row, const float* logits) {
    const std::int32_t n_vocab = s.weights.config.n_vocab;
    std::int32_t best = 0;
    float max = 0.0f;
    bool nan = false;
    s.kernels.argmax(logits, n_vocab, &best, &max, &nan);
    if (nan && row.status) *row.status = RowStatus::nan;
    if (row.logits) std::memcpy(row.logits, logits, static_cast<std::size_t>(n_vocab) * sizeof(float));
    if (nan) return;
    if (row.argmax) *row.argmax = best;
    if (row.n_targets == 0 && row.n_top == 0) return;
    const double log_normalizer = s.kernels.log_sum_exp(logits, n_vocab, max);
    for (std::int32_t i = 0; i < row.n_targets; ++i)
        row.target_logprobs[i] =
            static_cast<float>(static_cast<double>(logits[row.targets[i]]) - log_normalizer);
    if (row.n_top > 0) write_top(row, logits, n_vocab, log_normalizer);
}

// hidden = the final norm's output. A NaN anywhere in it makes every logit NaN, too.
void write_hidden(const Row& row, const float* norm, std::int64_t n_embd) {
    std::memcpy(row.hidden, norm, static_cast<std::size_t>(n_embd) * sizeof(float));
    if (row.status && std::any_of(norm, norm + n_embd, [](float value) { return std::isnan(value); }))
        *row.status = RowStatus::nan;
}

struct Wanted {
    const Row* row;
    std::size_t index;  // of its residual stream
};

}  // namespace

void write_outputs(CpuState& s, const Batch& batch) {
    const Config& c = s.weights.config;
    const std::int64_t stride = panel_stride(c.n_embd), vocab_stride = panel_stride(c.n_vocab);
    Activity& a = s.act;
    double* squares = batch.input_squares ? batch.input_squares->output : nullptr;
    std::vector<Wanted> wanted;
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
        if (a.rows[i]->status) *a.rows[i]->status = RowStatus::done;
        if (squares || a.rows[i]->hidden || wants_head(*a.rows[i])) wanted.push_back({a.rows[i], i});
    }
    a.logits.grow(kHeadRows * static_cast<std::size_t>(vocab_stride));
    std::size_t next = 0;
    while (next < wanted.size()) {
        // project() works on the live rows: from here on those are this chunk's.
        a.rows.clear();
        a.n_prompt = 0;
        bool head = false;
        s.watch.enter(Op::norm);
        for (; next < wanted.size() && a.rows.size() < kHeadRows; ++next) {
            const Row& row = *wanted[next].row;
            if (is_cancelled(batch, row)) {
                if (row.status) *row.status = RowStatus::dropped;
                continue;
            }
            float* norm = a.norm.data() + static_cast<std::int64_t>(a.rows.size()) * c.n_embd;
            s.kernels.layer_norm(a.x.data() + static_cast<std::int64_t>(wanted[next].index) * stride,
                                 s.weights.output_norm.data(), s.weights.output_norm_bias.data(), c.norm_eps,
                                 c.n_embd, norm);
            if (row.hidden) write_hidden(row, norm, c.n_embd);
            head = head || wants_head(row);
            a.n_prompt += row.phase == RowPhase::prompt ? 1 : 0;
            a.rows.push_back(&row);
        }
        if (squares) add_squares(s, a.norm.data(), c.n_embd, squares);
        if (!head) continue;
        s.watch.enter(Op::head);
        project(s, s.weights.output, a.norm.data(), a.logits.data(), vocab_stride, {});
        s.watch.enter(Op::sampling);
        s.pool.parallel_for(a.rows.size(), [&](std::size_t i, int) {
            const Row& row = *a.rows[i];
            if (wants_head(row))
                write_row(s, row, a.logits.data() + static_cast<std::int64_t>(i) * vocab_stride);
        });
    }
}

}  // namespace neox
