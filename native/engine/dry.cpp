#include "engine/dry.h"

#include <algorithm>
#include <utility>

#include "base/exact_math.h"

namespace neox {
namespace {

bool ends_in(std::span<const Token> ids, std::span<const Token> tail) {
    return tail.size() <= ids.size() && std::equal(tail.begin(), tail.end(), ids.last(tail.size()).begin());
}

// matches[k] = how many of the ids before the last k, read backwards, are those at the end of the text: the Z-function of
// the reversed text, in linear time.
void match_ends(std::span<const Token> ids, std::vector<std::size_t>& matches) {
    const std::size_t n = ids.size();
    const auto back = [&](std::size_t i) { return ids[n - 1 - i]; };
    matches.assign(n, 0);
    // [left, right): the match found so far that reaches farthest back.
    std::size_t left = 0, right = 0;
    for (std::size_t k = 1; k < n; ++k) {
        std::size_t length = k < right ? std::min(right - k, matches[k - left]) : 0;
        while (k + length < n && back(length) == back(k + length)) ++length;
        matches[k] = length;
        if (k + length > right) {
            left = k;
            right = k + length;
        }
    }
}

}  // namespace

DryPenalty::DryPenalty(DryConfig config, std::int32_t n_vocab) : config_(std::move(config)) {
    breaks_.resize(static_cast<std::size_t>(n_vocab));
    longest_.resize(static_cast<std::size_t>(n_vocab));
    for (const Token id : config_.breaker_ids) breaks_[static_cast<std::size_t>(id)] = true;
}

void DryPenalty::apply(std::span<float> scores, std::span<const Token> ids) {
    if (config_.range > 0 && ids.size() > static_cast<std::size_t>(config_.range)) {
        ids = ids.last(static_cast<std::size_t>(config_.range));
    }
    const std::size_t n = ids.size();
    // No run is longer than what follows the last breaker.
    std::size_t limit = 0;
    while (limit < n && !ends_in_breaker(ids.first(n - limit))) ++limit;
    const auto allowed = static_cast<std::size_t>(config_.allowed_length);
    if (limit < allowed) return;

    match_ends(ids, matches_);
    for (std::size_t k = 1; k < n; ++k) {
        const std::size_t length = std::min(matches_[k], limit);
        if (length < allowed) continue;
        const Token next = ids[n - k];
        std::size_t& longest = longest_[static_cast<std::size_t>(next)];
        if (longest == 0) found_.push_back(next);
        longest = std::max(longest, length);
    }
    for (const Token next : found_) {
        std::size_t& longest = longest_[static_cast<std::size_t>(next)];
        if (!completes_breaker(ids, next)) {
            const double growth = exact_pow(config_.base, static_cast<int>(longest - allowed));
            const double penalty = std::min(config_.multiplier * growth, kMaxPenalty);
            scores[static_cast<std::size_t>(next)] -= static_cast<float>(penalty);
        }
        longest = 0;
    }
    found_.clear();
}

bool DryPenalty::ends_in_breaker(std::span<const Token> ids) const {
    if (breaks_[static_cast<std::size_t>(ids.back())]) return true;
    return std::ranges::any_of(config_.breaker_sequences,
                               [&](const auto& tail) { return ends_in(ids, tail); });
}

bool DryPenalty::completes_breaker(std::span<const Token> ids, Token next) const {
    if (breaks_[static_cast<std::size_t>(next)]) return true;
    return std::ranges::any_of(config_.breaker_sequences, [&](const std::vector<Token>& sequence) {
        return sequence.back() == next && ends_in(ids, std::span(sequence).first(sequence.size() - 1));
    });
}

}  // namespace neox
