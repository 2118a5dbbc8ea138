// Where the end of a token list stood before: what followed it there may follow again. Prompt lookup decoding, with the
// hash chains of LZ77: one place for every pair of tokens, a list of the earlier ones behind it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace neox {

class NgramLookup {
public:
    static constexpr std::int32_t kLeast = 2;     // tokens that must agree
    static constexpr std::int32_t kLongest = 32;  // agreement is not looked at beyond

    struct Match {
        std::int64_t next = -1;   // position after the earlier occurrence; -1: there is none
        std::int32_t length = 0;  // tokens that agree, kLeast to kLongest
    };

    // Room for lists of so many tokens.
    void reserve(std::int64_t n_tokens);
    // The earlier occurrence that agrees longest with the end of `tokens`, of equal ones the latest. The list may only have
    // grown since the last call, by few tokens as a rule: a call takes time in proportion to them. Negative tokens (rows
    // that were given as embeddings) agree with nothing.
    Match find(std::span<const Token> tokens);

private:
    std::size_t bucket(Token first, Token second) const;

    std::vector<std::int32_t> latest_;    // [power of two]: the last position whose pair has this hash, or -1
    std::vector<std::int32_t> previous_;  // [n indexed]: the one before it
};

}  // namespace neox
