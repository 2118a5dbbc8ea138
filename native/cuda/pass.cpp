#include "cuda/pass.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace neox::cuda {

namespace {

bool wants_output(const Row& row) {
    return row.hidden || row.logits || row.argmax || row.n_targets > 0 || row.n_top > 0;
}

}  // namespace

Pass::Pass(const Config& config, const BackendOptions& options)
    : config_(config), options_(options), staging_(scratch_sizes(config, options).input) {}

void Pass::check_row(const Row& row) const {
    if (row.sequence < 0 || row.sequence >= batch_->n_sequences)
        fail(ErrorCode::internal, "Row names sequence ", row.sequence, " of ", batch_->n_sequences, ".");
    if (row.pos < 0 || row.pos >= options_.n_ctx)
        fail(ErrorCode::context_full, "Position ", row.pos, " is outside the context of ", options_.n_ctx,
             ".");
    if (row.rope_length <= row.pos || row.rope_length > options_.n_ctx)
        fail(ErrorCode::internal, "Position ", row.pos, " is rotated as one of ", row.rope_length, ".");
    if (row.pos / kKvBlock >= batch_->sequences[row.sequence].n_blocks)
        fail(ErrorCode::internal, "Position ", row.pos, " has no KV block.");
    for (std::int32_t i = 0; i < row.n_targets; ++i)
        if (row.targets[i] < 0 || row.targets[i] >= config_.n_vocab)
            fail(ErrorCode::invalid_argument, "Target id ", row.targets[i], " is outside the vocabulary of ",
                 config_.n_vocab, ".");
    if (!row.embedding && (row.token < 0 || row.token >= config_.n_vocab))
        fail(ErrorCode::invalid_argument, "Token id ", row.token, " is outside the vocabulary of ",
             config_.n_vocab, ".");
}

bool Pass::is_cancelled(const Row& row) const {
    const std::atomic<std::int32_t>* flag = batch_->sequences[row.sequence].cancel;
    return flag && flag->load(std::memory_order_relaxed) != 0;
}

bool Pass::is_all_cancelled() const {
    return std::all_of(rows_.begin(), rows_.end(), [&](const Row* row) { return is_cancelled(*row); });
}

// A kernel would follow them out of the memory.
void Pass::check_blocks(const SequenceView& sequence) const {
    for (std::int32_t i = 0; i < std::min(sequence.n_blocks, blocks_stride(options_)); ++i)
        if (sequence.blocks[i] < 0 || sequence.blocks[i] >= options_.n_kv_blocks)
            fail(ErrorCode::internal, "There is no KV block ", sequence.blocks[i], " of ",
                 options_.n_kv_blocks, ".");
}

void Pass::begin(const Batch& batch) {
    batch_ = &batch;
    rows_.clear();
    for (std::int32_t i = 0; i < batch.n_rows; ++i) {
        const Row& row = batch.rows[i];
        check_row(row);
        if (!is_cancelled(row))
            rows_.push_back(&row);
        else if (row.status)
            *row.status = RowStatus::dropped;
    }
    const auto first_step = std::stable_partition(
        rows_.begin(), rows_.end(), [](const Row* row) { return row->phase == RowPhase::prompt; });
    n_prompt_ = static_cast<int>(first_step - rows_.begin());
    sequences_.clear();
    numbers_.assign(static_cast<std::size_t>(batch.n_sequences), -1);
    for (const Row* row : rows_) {
        std::int32_t& number = numbers_[static_cast<std::size_t>(row->sequence)];
        if (number >= 0) continue;
        check_blocks(batch.sequences[row->sequence]);
        number = static_cast<std::int32_t>(sequences_.size());
        sequences_.push_back(row->sequence);
    }
    find_outputs();
    layout_ = input_layout(options_, n_rows(), static_cast<int>(sequences_.size()));
}

void Pass::find_outputs() {
    outputs_.clear();
    const bool all = batch_->input_squares && batch_->input_squares->output;
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (all || wants_output(*rows_[i])) outputs_.push_back({rows_[i], static_cast<std::int32_t>(i)});
}

const std::vector<DeviceRow>& Pass::set_rope(const std::vector<std::int32_t>& rope) {
    device_rows_.clear();
    for (const Row* row : rows_)
        device_rows_.push_back({numbers_[static_cast<std::size_t>(row->sequence)], row->pos,
                                rope[static_cast<std::size_t>(row - batch_->rows)],
                                static_cast<std::int32_t>(row->phase)});
    return device_rows_;
}

// Zeros up to `end`: they are sent, and read by nobody.
void Pass::stage(std::size_t at, const void* from, std::size_t n_bytes, std::size_t end) {
    if (n_bytes > 0) std::memcpy(staging_.data() + at, from, n_bytes);
    std::memset(staging_.data() + at + n_bytes, 0, end - at - n_bytes);
}

void Pass::stage_blocks() {
    std::memset(staging_.data() + layout_.blocks, 0, layout_.end - layout_.blocks);
    const auto stride = static_cast<std::size_t>(blocks_stride(options_));
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
        const SequenceView& sequence = batch_->sequences[sequences_[i]];
        const std::size_t n = std::min(static_cast<std::size_t>(sequence.n_blocks), stride);
        std::byte* table = staging_.data() + layout_.blocks + i * stride * sizeof(std::int32_t);
        std::memcpy(table, sequence.blocks, n * sizeof(std::int32_t));
    }
}

void Pass::upload(Stream& stream, const std::vector<RowGroup>& groups, const float* carry, std::byte* device,
                  float* given) {
    const auto n_embd = static_cast<std::size_t>(config_.n_embd);
    stage(layout_.rows, device_rows_.data(), device_rows_.size() * sizeof(DeviceRow), layout_.tokens);
    given_.clear();
    words_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const float* vector = carry ? carry + static_cast<std::size_t>(index(static_cast<int>(i))) * n_embd
                                    : rows_[i]->embedding;
        if (vector) given_.push_back(vector);
        words_.push_back(vector ? -static_cast<std::int32_t>(given_.size()) : rows_[i]->token);
    }
    stage(layout_.tokens, words_.data(), words_.size() * sizeof(std::int32_t), layout_.slots);
    words_.clear();
    for (const OutputRow& output : outputs_) words_.push_back(output.slot);
    stage(layout_.slots, words_.data(), words_.size() * sizeof(std::int32_t), layout_.groups);
    if (groups.size() > rows_.size())
        fail(ErrorCode::internal, groups.size(), " groups of ", rows_.size(), " rows.");
    stage(layout_.groups, groups.data(), groups.size() * sizeof(RowGroup), layout_.blocks);
    stage_blocks();
    stream.copy_to_device(device, staging_.data(), layout_.end);
    if (given_.empty()) return;
    if (vectors_.size() < given_.size() * n_embd) vectors_.reset(given_.size() * n_embd);
    for (std::size_t i = 0; i < given_.size(); ++i)
        std::memcpy(vectors_.data() + i * n_embd, given_[i], n_embd * sizeof(float));
    stream.copy_to_device(given, vectors_.data(), given_.size() * n_embd * sizeof(float));
}

}  // namespace neox::cuda
