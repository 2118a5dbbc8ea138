// A GGUF file of a named real shape with random weights, so that speed can be tried without a download.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "jobs/control.h"
#include "jobs/output_types.h"

namespace neox {

struct Shape {
    const char* name;
    const char* model;  // which model has it
    std::int32_t n_layer, n_embd, n_head, n_ff, n_vocab, n_ctx_train;
    float rotary_pct;
    bool parallel_residual;
};
std::span<const Shape> shapes();

struct SynthOptions {
    std::string shape{};  // a name of shapes()
    std::string output{};
    FileType type = FileType::Q4_0;
    // A GGUF file or a Hugging Face directory whose tokenizer is taken, with unused pieces "[PAD<id>]" up to
    // the shape's vocabulary; empty: no tokenizer.
    std::string tokenizer{};
    std::int32_t n_layer = 0;  // 1 to the shape's: its first layers alone, as they are in the whole; 0: all
    std::uint64_t seed = 0;
    bool dry_run = false;  // tells the result, writes nothing
};

// Throws ERR_NEOX_INVALID_ARGUMENT for an unknown shape, more layers than it has or a tokenizer larger than its
// vocabulary, ERR_NEOX_NO_TOKENIZER for a base without one, and what convert() throws.
WrittenFile synth(const SynthOptions& options, const JobControl& control = {});

}  // namespace neox
