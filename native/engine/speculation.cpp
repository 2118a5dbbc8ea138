#include "engine/speculation.h"

#include <algorithm>

namespace neox {

namespace {

// Batches after which a time is no longer trusted: contexts grow and machines get other work.
constexpr std::int64_t kFresh = 1000;
// What a further row is thought to cost before it was tried, as a share of the first: little, so that it is tried.
constexpr double kRowShare = 0.15;
// A batch is made wider for nothing less than this: times are noisy.
constexpr double kLeastGain = 1.03;
// Rows of a batch that are worth to be considered.
constexpr std::int32_t kWidestBatch = 16;
constexpr double kLeastChance = 0.05;

double expected_shape(std::int32_t n_rows) { return 1.0 + kRowShare * (n_rows - 1); }

// How often a token comes that followed the same 2, 3, 4, 5 or 6, 7 to 9, 10 to 15, more tokens before: first guesses. They
// count as kGuessTries tries beside those of matches of every length, and the result as kLengthTries beside those of the
// same length, so that a text that is being copied is soon known as one.
constexpr std::array<double, 7> kGuess{0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
constexpr double kGuessTries = 2.0, kLengthTries = 4.0;
// More tries are forgotten by and by.
constexpr double kMostTries = 32.0, kMostTriesOfAll = 16.0;

std::size_t class_of(std::int32_t length) {
    if (length <= 4) return static_cast<std::size_t>(length - NgramLookup::kLeast);
    return length <= 6 ? 3 : length <= 9 ? 4 : length <= 15 ? 5 : 6;
}

}  // namespace

void StepCosts::add(std::int32_t n_rows, double ms) {
    ++n_added_;
    if (n_rows < 1 || n_rows > kMostRows) return;
    Entry& entry = entries_[static_cast<std::size_t>(n_rows)];
    if (n_added_ - entry.last_added > kFresh) entry.n_times = 0;
    entry.times[entry.n_times++ % kKept] = ms;
    entry.last_added = n_added_;
    std::array<double, kKept> sorted = entry.times;
    const auto n = static_cast<std::ptrdiff_t>(std::min(entry.n_times, kKept));
    std::sort(sorted.begin(), sorted.begin() + n);
    entry.median = sorted[static_cast<std::size_t>((n - 1) / 2)];
}

bool StepCosts::is_known(std::int32_t n_rows) const {
    const Entry& entry = entries_[static_cast<std::size_t>(n_rows)];
    return entry.n_times > 0 && n_added_ - entry.last_added <= kFresh;
}

double StepCosts::of(std::int32_t n_rows) const {
    std::int32_t below = std::min(n_rows, kMostRows), above = n_rows;
    while (below >= 1 && !is_known(below)) --below;
    while (above <= kMostRows && !is_known(above)) ++above;
    const auto known = [this](std::int32_t n) { return entries_[static_cast<std::size_t>(n)].median; };
    const bool has_below = below >= 1, has_above = above <= kMostRows;
    if (has_below && has_above && above > below)
        return known(below) + (known(above) - known(below)) * (n_rows - below) / (above - below);
    if (has_below) return known(below) * expected_shape(n_rows) / expected_shape(below);
    if (has_above) return known(above) * expected_shape(n_rows) / expected_shape(above);
    return expected_shape(n_rows);
}

Speculation::Speculation(std::int32_t n_tokens)
    : is_automatic_(n_tokens == kAutomatic), most_(is_automatic_ ? kMostAutomatic : n_tokens) {
    proposal_.reserve(static_cast<std::size_t>(most_));
}

void Speculation::reserve(std::int64_t n_positions) { lookup_.reserve(n_positions); }

void Speculation::propose(std::span<const Token> tokens, std::int64_t limit) {
    n_taken_ = n_came_ = 0;
    proposal_.clear();
    const NgramLookup::Match match = lookup_.find(tokens);
    match_length_ = match.length;
    // A match near the end goes on into the proposal itself.
    for (std::int64_t pos = match.next; match.length > 0 && std::ssize(proposal_) < most_; ++pos) {
        const std::int64_t beyond = pos - std::ssize(tokens);
        const Token token =
            beyond < 0 ? tokens[static_cast<std::size_t>(pos)] : proposal_[static_cast<std::size_t>(beyond)];
        if (token < 0) break;
        proposal_.push_back(token);
    }
    n_offered_ = static_cast<std::int32_t>(std::clamp<std::int64_t>(limit, 0, std::ssize(proposal_)));
}

double Speculation::chance(std::int32_t i) const {
    const std::size_t length = class_of(match_length_ + i);
    const Record& record = records_[length];
    const double guess = (kGuess[length] * kGuessTries + all_.hits) / (kGuessTries + all_.tries);
    return (guess * kLengthTries + record.hits) / (kLengthTries + record.tries);
}

void Speculation::Record::add(bool is_hit, double most_tries) {
    if (tries >= most_tries) {
        hits /= 2;
        tries /= 2;
    }
    hits += is_hit ? 1.0 : 0.0;
    tries += 1.0;
}

// A proposal teaches whether it was taken or not: what comes next shows what would have come true.
bool Speculation::accept(Token token) {
    if (n_came_ == 0) n_drafted_ += n_taken_;
    if (n_came_ >= std::ssize(proposal_)) return false;
    const bool is_hit = token == proposal_[static_cast<std::size_t>(n_came_)];
    records_[class_of(match_length_ + n_came_)].add(is_hit, kMostTries);
    all_.add(is_hit, kMostTriesOfAll);
    const bool is_accepted = is_hit && n_came_ < n_taken_;
    n_accepted_ += is_accepted ? 1 : 0;
    ++n_came_;
    return is_accepted;
}

std::int32_t take_drafts(std::span<Speculation* const> calls, std::int32_t n_rows, std::int32_t budget,
                         const StepCosts& costs) {
    std::int32_t n_fixed = 0;
    for (Speculation* call : calls) {
        if (call->is_automatic()) continue;
        call->take(std::min(call->n_offered(), budget - n_fixed));
        n_fixed += static_cast<std::int32_t>(std::ssize(call->draft()));
    }
    // The likeliest next token of all offers, one after the other; kept is the prefix of most tokens per time.
    struct Offer {
        Speculation* call;
        std::int32_t n;
        double chance;  // that all of the first n + 1 come
    };
    std::array<Offer, kWidestBatch> offers{};
    std::size_t n_offers = 0;
    for (Speculation* call : calls)
        if (call->is_automatic() && call->n_offered() > 0 && n_offers < offers.size())
            offers[n_offers++] = {call, 0, call->chance(0)};
    if (n_offers == 0) return n_fixed;

    const std::int32_t most = std::min(budget - n_fixed, kWidestBatch - n_rows - n_fixed);
    double tokens = n_rows, best_rate = tokens / costs.of(n_rows + n_fixed) * kLeastGain;
    std::int32_t n_best = 0;
    for (std::int32_t n = 1; n <= most; ++n) {
        const auto offer =
            std::max_element(offers.begin(), offers.begin() + static_cast<std::ptrdiff_t>(n_offers),
                             [](const Offer& a, const Offer& b) { return a.chance < b.chance; });
        if (offer->chance < kLeastChance) break;
        tokens += offer->chance;
        ++offer->n;
        offer->chance =
            offer->n < offer->call->n_offered() ? offer->chance * offer->call->chance(offer->n) : 0.0;
        const double rate = tokens / costs.of(n_rows + n_fixed + n);
        if (rate <= best_rate) continue;
        best_rate = rate;
        n_best = n;
        for (std::size_t i = 0; i < n_offers; ++i) offers[i].call->take(offers[i].n);
    }
    return n_fixed + n_best;
}

}  // namespace neox
