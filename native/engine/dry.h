// DRY ("don't repeat yourself"), the sampler that p-e-w published as pull request 5677 of
// oobabooga/text-generation-webui: a token that would extend a repetition loses
// multiplier * base^(n - allowed_length), where n is the length of the longest run of ids that ends the text and
// stood before the same token earlier. Runs may overlap. No run reaches over a sequence breaker, and a token that
// completes one is never penalized.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/token.h"

namespace neox {

struct DryConfig {
    double multiplier = 0.0;          // >= 0, 0: off
    double base = 1.75;               // >= 1
    std::int32_t allowed_length = 2;  // >= 1; shorter runs cost nothing
    std::int32_t range = 0;           // how many of the last ids count, 0: all
    std::vector<Token> breaker_ids;   // breakers of one id
    std::vector<std::vector<Token>> breaker_sequences;
};

// One belongs to one sequence (it owns scratch).
class DryPenalty {
public:
    // A penalty is no larger, so that it takes a token's chances and leaves its score finite.
    static constexpr double kMaxPenalty = 1e30;

    // The multiplier must be above 0, the config's ids in [0, n_vocab).
    DryPenalty(DryConfig config, std::int32_t n_vocab);

    // In place, scores: [n_vocab] f32; ids in [0, n_vocab). Linear in the ids, times the ids of the breaker sequences.
    void apply(std::span<float> scores, std::span<const Token> ids);

private:
    bool ends_in_breaker(std::span<const Token> ids) const;
    bool completes_breaker(std::span<const Token> ids, Token next) const;

    DryConfig config_;
    std::vector<bool> breaks_;          // [n_vocab]
    std::vector<std::size_t> matches_;  // [ids]
    std::vector<std::size_t> longest_;  // [n_vocab], 0 between calls
    std::vector<Token> found_;
};

}  // namespace neox
