// What rows want of their logits, where the logits are: best id, log-probabilities of given ids and of the most likely ones.
// Rows whose logits are wanted themselves are copied by the stream.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/runtime.h"

namespace neox::cuda {

// The wants of one row, in the device's memory. All zeros but `row`: the best id alone.
struct HeadRow {
    std::int32_t row;           // of the logits; below 0: nothing is wanted, nothing is written
    std::int32_t first_target;  // in HeadArgs::targets and ::target_logprobs
    std::int32_t n_targets;
    std::int32_t first_top;  // in HeadArgs::top_ids and ::top_logprobs
    std::int32_t n_top;      // at most n_vocab
};

struct HeadResult {
    std::int32_t best;    // the first of the largest logits
    std::int32_t is_nan;  // 1: a logit is NaN, and nothing else is written for this row
};

// Pointers are the device's.
struct HeadArgs {
    const float* logits = nullptr;  // [][stride], aligned to 16 bytes
    std::int64_t stride = 0;        // a multiple of 4
    std::int32_t n_vocab = 0;       // at least 1
    const HeadRow* rows = nullptr;  // [n]
    std::int32_t n = 0;
    HeadResult* results = nullptr;          // [n]
    const std::int32_t* targets = nullptr;  // ids in [0, n_vocab)
    float* target_logprobs = nullptr;
    std::int32_t* top_ids = nullptr;  // most likely first, ties by the smaller id
    float* top_logprobs = nullptr;
    std::int32_t max_top = 0;          // of the rows' n_top
    std::uint64_t* scratch = nullptr;  // [n][head_scratch(max_top)]
};

// Words of 8 bytes for each row; 0 while shared memory is enough.
std::size_t head_scratch(std::int32_t max_top);

// Log-probabilities are those of model/head.cpp, to 2^-22 of the largest of 1 and their magnitude.
void launch_head(Stream& stream, const HeadArgs& args);

}  // namespace neox::cuda
