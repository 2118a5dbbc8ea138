// The end of the forward pass: final norm, head, and what each row wants of them, in chunks of kHeadRows rows whose logits fit
// into the memory. What the host gets is read back once for each chunk.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/forward.h"
#include "cuda/head.h"
#include "cuda/row_moves.h"

namespace neox::cuda {

namespace {

bool wants_head(const Row& row) { return row.logits || row.argmax || row.n_targets > 0 || row.n_top > 0; }

// The rows of a chunk, and where what they want lies in the two tables that cross: `asked` to the device, `answered` back.
struct Chunk {
    Chunk(const Pass& pass, std::size_t begin)
        : rows(pass.outputs().data() + begin),
          n(static_cast<int>(std::min<std::size_t>(pass.outputs().size() - begin, kHeadRows))) {
        for (int i = 0; i < n; ++i) {
            const Row& row = *rows[i].row;
            n_prompt += row.phase == RowPhase::prompt ? 1 : 0;
            has_hidden = has_hidden || row.hidden;
            HeadRow wants{};
            wants.row = wants_head(row) ? i : -1;
            wants.first_target = static_cast<std::int32_t>(targets.size());
            wants.n_targets = row.n_targets;
            wants.first_top = n_top;
            wants.n_top = std::clamp(row.n_top, 0, pass.n_vocab());
            if (wants.n_targets > 0) targets.insert(targets.end(), row.targets, row.targets + row.n_targets);
            n_top += wants.n_top;
            max_top = std::max(max_top, wants.n_top);
            n_heads += wants.row >= 0 ? 1 : 0;
            n_logits += row.logits ? 1 : 0;
            head_rows.push_back(wants);
        }
        const auto aligned = [](std::size_t n_bytes) { return (n_bytes + 15) / 16 * 16; };
        targets_at = aligned(head_rows.size() * sizeof(HeadRow));
        asked_bytes = targets_at + aligned(targets.size() * sizeof(std::int32_t));
        target_logprobs_at = aligned(static_cast<std::size_t>(n) * sizeof(HeadResult));
        top_ids_at = target_logprobs_at + aligned(targets.size() * sizeof(float));
        top_logprobs_at = top_ids_at + aligned(static_cast<std::size_t>(n_top) * sizeof(std::int32_t));
        answered_bytes = top_logprobs_at + aligned(static_cast<std::size_t>(n_top) * sizeof(float));
        scratch_bytes = head_scratch(max_top) * static_cast<std::size_t>(n) * sizeof(std::uint64_t);
    }

    const OutputRow* rows;
    int n;
    int n_prompt = 0, n_heads = 0, n_logits = 0;
    bool has_hidden = false;
    std::int32_t n_top = 0, max_top = 0;
    std::vector<HeadRow> head_rows;
    std::vector<std::int32_t> targets;
    std::size_t targets_at, asked_bytes;
    std::size_t target_logprobs_at, top_ids_at, top_logprobs_at, answered_bytes;
    std::size_t scratch_bytes;
};

template <class T> void make_room(T& buffer, std::size_t n) {
    if (buffer.size() < n) buffer.reset(n);
}

// The final norm of the chunk's rows, in scratch.norm.
void normalize(CudaState& s, const Chunk& chunk, std::size_t begin) {
    const std::int64_t n_embd = s.weights.config.n_embd, stride = row_stride(n_embd);
    s.times.enter(Op::norm);
    GatherArgs gather{};
    gather.from = s.scratch.x.data();
    gather.to = s.scratch.picked.data();
    gather.slots =
        reinterpret_cast<const std::int32_t*>(s.scratch.input.data() + s.pass.layout().slots) + begin;
    gather.n = chunk.n;
    gather.n_cols = n_embd;
    gather.stride = stride;
    launch_gather(s.stream, gather);
    layer_norm(s, {s.scratch.picked.data(), stride}, {s.scratch.norm.data(), stride},
               {s.model.output_norm, s.model.output_norm_bias}, chunk.n);
}

void find_wanted(CudaState& s, const Chunk& chunk) {
    OutputBuffers& b = s.outputs;
    const Config& c = s.weights.config;
    make_room(b.asked, chunk.asked_bytes);
    make_room(b.device, chunk.asked_bytes + chunk.answered_bytes + chunk.scratch_bytes);
    std::memset(b.asked.data(), 0, chunk.asked_bytes);
    std::memcpy(b.asked.data(), chunk.head_rows.data(), chunk.head_rows.size() * sizeof(HeadRow));
    if (!chunk.targets.empty())
        std::memcpy(b.asked.data() + chunk.targets_at, chunk.targets.data(),
                    chunk.targets.size() * sizeof(std::int32_t));
    s.stream.copy_to_device(b.device.data(), b.asked.data(), chunk.asked_bytes);
    std::byte* answered = b.device.data() + chunk.asked_bytes;
    HeadArgs args{};
    args.logits = s.scratch.logits.data();
    args.stride = row_stride(c.n_vocab);
    args.n_vocab = c.n_vocab;
    args.rows = reinterpret_cast<const HeadRow*>(b.device.data());
    args.n = chunk.n;
    args.targets = reinterpret_cast<const std::int32_t*>(b.device.data() + chunk.targets_at);
    args.results = reinterpret_cast<HeadResult*>(answered);
    args.target_logprobs = reinterpret_cast<float*>(answered + chunk.target_logprobs_at);
    args.top_ids = reinterpret_cast<std::int32_t*>(answered + chunk.top_ids_at);
    args.top_logprobs = reinterpret_cast<float*>(answered + chunk.top_logprobs_at);
    args.max_top = chunk.max_top;
    args.scratch = reinterpret_cast<std::uint64_t*>(answered + chunk.answered_bytes);
    launch_head(s.stream, args);
    make_room(b.answered, chunk.answered_bytes);
    s.stream.copy_to_host(b.answered.data(), answered, chunk.answered_bytes);
}

void read_logits(CudaState& s, const Chunk& chunk) {
    const auto stride = static_cast<std::size_t>(row_stride(s.weights.config.n_vocab));
    make_room(s.outputs.logits, static_cast<std::size_t>(chunk.n_logits) * stride);
    std::size_t next = 0;
    for (int i = 0; i < chunk.n; ++i)
        if (chunk.rows[i].row->logits)
            s.stream.copy_to_host(s.outputs.logits.data() + stride * next++,
                                  s.scratch.logits.data() + stride * static_cast<std::size_t>(i),
                                  stride * sizeof(float));
}

// hidden = the final norm's output. A NaN anywhere in it makes every logit NaN, too.
void deliver_hidden(const Row& row, const float* norm, std::int64_t n_embd) {
    std::memcpy(row.hidden, norm, static_cast<std::size_t>(n_embd) * sizeof(float));
    if (row.status && std::any_of(norm, norm + n_embd, [](float value) { return std::isnan(value); }))
        *row.status = RowStatus::nan;
}

void deliver_head(const CudaState& s, const Chunk& chunk, int i) {
    const Row& row = *chunk.rows[i].row;
    const HeadRow& wants = chunk.head_rows[static_cast<std::size_t>(i)];
    const std::byte* answered = s.outputs.answered.data();
    const auto take = [&](auto* to, std::size_t at, std::int32_t first, std::int32_t n) {
        if (n > 0)
            std::memcpy(to, answered + at + static_cast<std::size_t>(first) * sizeof(*to),
                        static_cast<std::size_t>(n) * sizeof(*to));
    };
    HeadResult result;
    std::memcpy(&result, answered + static_cast<std::size_t>(i) * sizeof(result), sizeof(result));
    if (result.is_nan != 0) {
        if (row.status) *row.status = RowStatus::nan;
        return;
    }
    if (row.argmax) *row.argmax = result.best;
    take(row.target_logprobs, chunk.target_logprobs_at, wants.first_target, wants.n_targets);
    take(row.top_ids, chunk.top_ids_at, wants.first_top, wants.n_top);
    take(row.top_logprobs, chunk.top_logprobs_at, wants.first_top, wants.n_top);
}

void deliver(const CudaState& s, const Chunk& chunk) {
    const Config& c = s.weights.config;
    const auto stride = static_cast<std::size_t>(row_stride(c.n_embd)),
               vocab_stride = static_cast<std::size_t>(row_stride(c.n_vocab));
    std::size_t next_logits = 0;
    for (int i = 0; i < chunk.n; ++i) {
        const Row& row = *chunk.rows[i].row;
        const float* logits = s.outputs.logits.data() + vocab_stride * next_logits;
        next_logits += row.logits ? 1 : 0;
        if (s.pass.is_cancelled(row)) continue;
        if (row.hidden)
            deliver_hidden(row, s.outputs.hidden.data() + stride * static_cast<std::size_t>(i), c.n_embd);
        if (row.logits) std::memcpy(row.logits, logits, static_cast<std::size_t>(c.n_vocab) * sizeof(float));
        if (wants_head(row)) deliver_head(s, chunk, i);
    }
}

}  // namespace

void write_outputs(CudaState& s) {
    const Config& c = s.weights.config;
    const std::int64_t stride = row_stride(c.n_embd);
    const InputSquares* squares = s.pass.batch().input_squares;
    for (const Row* row : s.pass.rows())
        if (row->status) *row->status = RowStatus::done;
    for (std::size_t begin = 0; begin < s.pass.outputs().size(); begin += kHeadRows) {
        if (s.pass.is_all_cancelled()) return;
        const Chunk chunk(s.pass, begin);
        normalize(s, chunk, begin);
        const Rows norm{s.scratch.norm.data(), stride};
        if (squares && squares->output) add_squares(s, norm, chunk.n, c.n_embd, squares->output);
        if (chunk.has_hidden) {
            const auto n = static_cast<std::size_t>(chunk.n) * static_cast<std::size_t>(stride);
            make_room(s.outputs.hidden, n);
            s.stream.copy_to_host(s.outputs.hidden.data(), norm.data, n * sizeof(float));
        }
        if (chunk.n_heads > 0) {
            s.times.enter(Op::head);
            project(s, s.model.output, c.n_embd, norm, {s.scratch.logits.data(), row_stride(c.n_vocab)}, {},
                    nullptr, chunk.n_prompt, chunk.n - chunk.n_prompt);
            s.times.enter(Op::sampling);
            find_wanted(s, chunk);
            read_logits(s, chunk);
        }
        s.stream.synchronize();
        deliver(s, chunk);
    }
    s.times.enter(Op::other);
}

void add_squares(CudaState& s, Rows x, int n_rows, std::int64_t n_cols, double* sums) {
    const auto n = static_cast<std::size_t>(n_cols);
    make_room(s.squares, n);
    s.stream.copy_to_device(s.squares.data(), sums, n * sizeof(double));
    launch_squares(s.stream, {x.data, s.squares.data(), n_rows, n_cols, x.stride});
    s.stream.copy_to_host(sums, s.squares.data(), n * sizeof(double));
    s.stream.synchronize();
}

}  // namespace neox::cuda
