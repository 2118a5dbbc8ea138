// What one forward pass is asked: rows, the sequences they belong to, and what each row wants. Plain data, so that it
// crosses to device libraries as it is; every pointer is borrowed for the duration of the call.
#pragma once

#include <atomic>
#include <cstdint>

namespace neox {

// A sequence as the network sees it: the KV blocks of its positions, in order.
struct SequenceView {
    const std::int32_t* blocks;  // [n_blocks] block ids; position p lives in blocks[p / 64]
    std::int32_t n_blocks;
    const std::atomic<std::int32_t>*
        cancel;  // read between layers: non-zero drops the sequence's rows; may be null
};

// The arithmetic of a row follows from its own sequence alone: rows of a prompt take `prompt`, rows that decode a sampled
// token take `step`, however they are batched.
enum class RowPhase : std::int32_t { prompt = 0, step = 1 };

// What became of a row: computed, dropped because its sequence was cancelled, or its logits or hidden state hold a NaN.
enum class RowStatus : std::int32_t { done = 0, dropped = 1, nan = 2 };

// One row. At most one of the outputs that need the head is usually set; all may be. Null outputs are not computed.
struct Row {
    std::int32_t sequence;  // index into Batch::sequences
    std::int32_t pos;       // 0-based; its KV entry is written by this pass
    std::int32_t
        rope_length;     // positions that dynamic RoPE scaling sees: pos + 1 of a step, the end of a prompt
    std::int32_t token;  // id in [0, n_vocab), or -1 when `embedding` is given
    RowPhase phase;
    const float* embedding;  // [n_embd], instead of the token's
    float* hidden;           // out [n_embd]: after the final norm
    float* logits;           // out [n_vocab]
    std::int32_t* argmax;    // out: first of the largest logits
    // The log-probabilities of `n_targets` given ids.
    const std::int32_t* targets;
    std::int32_t n_targets;
    float* target_logprobs;  // out [n_targets]
    // The `n_top` most likely ids, most likely first, ties by the smaller id.
    std::int32_t n_top;
    std::int32_t* top_ids;  // out [n_top]
    float* top_logprobs;    // out [n_top]
    RowStatus* status;      // out; may be null
};

// Where a pass adds up the squares of what enters each matrix, column by column, for an importance matrix (model/imatrix.h).
// Rows are added one after another, so that the sums depend on neither threads nor the cut of the batches.
struct InputSquares {
    double* attn_qkv;     // [n_layer, n_embd]
    double* attn_output;  // [n_layer, n_embd]
    double* ffn_up;       // [n_layer, n_embd]
    double* ffn_down;     // [n_layer, n_ff]
    double* output;       // [n_embd], over all rows, whatever they want; may be null
};

struct PassProfile;  // model/profile.h

// Rows of one sequence come in rising positions, and after everything that their positions attend to.
struct Batch {
    const Row* rows;
    std::int32_t n_rows;
    const SequenceView* sequences;
    std::int32_t n_sequences;
    const InputSquares* input_squares = nullptr;  // null: not wanted
    PassProfile* profile = nullptr;               // grows by the time of this pass; null: not wanted
};

}  // namespace neox
