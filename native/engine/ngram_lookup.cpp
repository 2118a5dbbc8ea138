#include "engine/ngram_lookup.h"

#include <algorithm>
#include <bit>

namespace neox {

namespace {

constexpr std::size_t kFewestBuckets = 256, kMostBuckets = std::size_t{1} << 16;
constexpr int kMostCandidates = 32;

std::int32_t agreement(std::span<const Token> tokens, std::int64_t earlier) {
    const std::int64_t last = std::ssize(tokens) - 1;
    std::int32_t n = 0;
    while (n < NgramLookup::kLongest && n <= earlier) {
        const Token token = tokens[static_cast<std::size_t>(last - n)];
        if (token < 0 || token != tokens[static_cast<std::size_t>(earlier - n)]) break;
        ++n;
    }
    return n;
}

}  // namespace

void NgramLookup::reserve(std::int64_t n_tokens) {
    const std::size_t n = static_cast<std::size_t>(n_tokens);
    latest_.assign(std::bit_ceil(std::clamp(n, kFewestBuckets, kMostBuckets)), -1);
    previous_.clear();
    previous_.reserve(n);
}

std::size_t NgramLookup::bucket(Token first, Token second) const {
    const std::uint64_t pair = static_cast<std::uint64_t>(static_cast<std::uint32_t>(first)) << 32 |
                               static_cast<std::uint32_t>(second);
    return static_cast<std::size_t>(pair * 0x9e3779b97f4a7c15u >> 40) & (latest_.size() - 1);
}

NgramLookup::Match NgramLookup::find(std::span<const Token> tokens) {
    const std::int64_t last = std::ssize(tokens) - 1;
    // Every position but the last: something must have followed.
    for (std::int64_t pos = std::ssize(previous_); pos < last; ++pos) {
        std::int32_t earlier = -1;
        if (pos > 0) {
            const std::size_t at = static_cast<std::size_t>(pos);
            std::int32_t& latest = latest_[bucket(tokens[at - 1], tokens[at])];
            earlier = latest;
            latest = static_cast<std::int32_t>(pos);
        }
        previous_.push_back(earlier);
    }
    Match best;
    if (last < 1) return best;
    std::int32_t pos =
        latest_[bucket(tokens[static_cast<std::size_t>(last - 1)], tokens[static_cast<std::size_t>(last)])];
    for (int i = 0; i < kMostCandidates && pos >= 0; ++i) {
        const std::int32_t length = agreement(tokens, pos);
        if (length >= kLeast && length > best.length) best = {std::int64_t{pos} + 1, length};
        if (best.length == kLongest) break;
        pos = previous_[static_cast<std::size_t>(pos)];
    }
    return best;
}

}  // namespace neox
