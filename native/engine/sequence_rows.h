// What was fed to a sequence, row by row: everything that its KV entries follow from.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/sampler.h"
#include "model/batch.h"

namespace neox {

inline constexpr Token kEmbedding = -1;  // stands in the token list for a row given as an embedding

// Rows that were appended as one prompt.
struct PromptRun {
    std::int64_t begin, end;
};

struct SequenceRows {
    std::vector<Token> tokens;
    std::vector<RowPhase> phases;                   // [tokens.size()]
    std::vector<PromptRun> prompts;                 // by rising begin; a truncated one keeps its end
    std::vector<std::int64_t> embedding_positions;  // rising
    std::vector<float> embeddings;                  // [embedding_positions.size(), n_embd]
    std::int64_t n_dropped = 0;  // rows that an overflow of the context took out; draws count them

    std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
};

}  // namespace neox
