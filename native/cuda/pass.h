// The rows of one pass on the host's side: which are alive, in which slots of the device's activations, and what the kernels are
// told of them in one upload.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/plan.h"
#include "cuda/rows.h"
#include "cuda/runtime.h"
#include "model/backend.h"
#include "model/batch.h"
#include "model/config.h"

namespace neox::cuda {

// A row that wants something of the end of the network, and its slot.
struct OutputRow {
    const Row* row;
    std::int32_t slot;
};

class Pass {
public:
    Pass(const Config& config, const BackendOptions& options);

    // Takes the rows that are not cancelled, those of prompts first; the others are dropped. Throws what a row is refused with:
    // ERR_NEOX_CONTEXT_FULL, ERR_NEOX_INVALID_ARGUMENT, ERR_NEOX_INTERNAL.
    void begin(const Batch& batch);

    const std::vector<const Row*>& rows() const { return rows_; }  // by slot
    int n_rows() const { return static_cast<int>(rows_.size()); }
    int n_prompt() const { return n_prompt_; }
    int n_step() const { return n_rows() - n_prompt_; }
    // Rows with outputs, by slot; all rows with `all`. Those of prompts come first.
    const std::vector<OutputRow>& outputs() const { return outputs_; }
    bool is_cancelled(const Row& row) const;
    bool is_all_cancelled() const;
    // From the batch's rows by slot: which row of the batch this is.
    std::ptrdiff_t index(int slot) const { return rows_[static_cast<std::size_t>(slot)] - batch_->rows; }
    const Batch& batch() const { return *batch_; }
    std::int32_t n_vocab() const { return config_.n_vocab; }

    // By slot, as the device will see them; `rope` has the rotary table's row of each row of the batch.
    const std::vector<DeviceRow>& set_rope(const std::vector<std::int32_t>& rope);
    // Asks for the upload to `device` [layout().end], after set_rope(); at most n_rows() groups. Residual streams that the host
    // has, from `carry` [n_rows of the batch, n_embd] or as the vectors that rows bring instead of a token, go to `given`
    // [n_rows(), n_embd]. The staging memory is in use until the pass has ended.
    void upload(Stream& stream, const std::vector<RowGroup>& groups, const float* carry, std::byte* device,
                float* given);
    const InputLayout& layout() const { return layout_; }

private:
    void check_row(const Row& row) const;
    void check_blocks(const SequenceView& sequence) const;
    void find_outputs();
    void stage(std::size_t at, const void* from, std::size_t n_bytes, std::size_t end);
    void stage_blocks();

    const Config& config_;
    const BackendOptions& options_;
    const Batch* batch_ = nullptr;
    std::vector<const Row*> rows_;
    std::vector<OutputRow> outputs_;
    std::vector<std::int32_t> sequences_;  // of the batch, by their number in the upload
    std::vector<std::int32_t> numbers_;    // the other way round; -1: no row is of it
    int n_prompt_ = 0;
    InputLayout layout_{};
    PinnedBuffer<std::byte> staging_;
    std::vector<DeviceRow> device_rows_;
    std::vector<std::int32_t> words_;  // of a table on its way to the staging memory
    std::vector<const float*> given_;  // the host's residual streams, in the order of the slots
    PinnedBuffer<float> vectors_;
};

}  // namespace neox::cuda
