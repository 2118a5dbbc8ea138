// Speculation without loss: tokens that are likely to follow ride along in a step and are kept as far as the sampler, fed
// with the step's logits, draws the very same ones. A row's logits do not depend on the rows beside it and a draw is keyed
// by its position, so the ids are those of single steps whatever is drafted. How much to draft is decided by what it costs
// and how often it came true, both as measured.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/ngram_lookup.h"

namespace neox {

// How long a batch of n step rows takes, as seen lately.
class StepCosts {
public:
    void add(std::int32_t n_rows, double ms);
    // In ms, or in units of one row's time before anything was measured; n_rows >= 1. What was not measured, or long ago, is
    // estimated from what was.
    double of(std::int32_t n_rows) const;

private:
    static constexpr std::int32_t kMostRows = 32;
    static constexpr std::size_t kKept = 5;
    struct Entry {
        std::array<double, kKept> times{};  // the last ones, in a circle
        std::size_t n_times = 0;
        double median = 0.0;
        std::int64_t last_added = 0;
    };
    bool is_known(std::int32_t n_rows) const;

    std::array<Entry, kMostRows + 1> entries_{};
    std::int64_t n_added_ = 0;
};

// The drafts of one call.
class Speculation {
public:
    static constexpr std::int32_t kAutomatic = -1;
    static constexpr std::int32_t kMostAutomatic =
        15;  // with the pending row one chunk of the head's (model/head.cpp)
    static constexpr std::int32_t kMostFixed = 64;

    // n_tokens >= 1: always as many as that, where something repeats. kAutomatic: as many as pay.
    explicit Speculation(std::int32_t n_tokens);

    bool is_automatic() const { return is_automatic_; }
    std::int32_t most() const { return most_; }
    // Room for a sequence of so many tokens.
    void reserve(std::int64_t n_positions);

    // Looks for what may follow `tokens`; at most `limit` tokens of it are offered.
    void propose(std::span<const Token> tokens, std::int64_t limit);
    std::int32_t n_offered() const { return n_offered_; }
    // How likely, going by what came true before, offered token i comes if those before it do.
    double chance(std::int32_t i) const;
    // The first n of the offered tokens ride along in the batch.
    void take(std::int32_t n) { n_taken_ = n; }
    std::span<const Token> draft() const { return {proposal_.data(), static_cast<std::size_t>(n_taken_)}; }

    // Told of every token that comes: true when it is the draft's next one, so that the row behind it counts.
    bool accept(Token token);

    std::int64_t n_drafted() const { return n_drafted_; }    // tokens that were taken into batches
    std::int64_t n_accepted() const { return n_accepted_; }  // those of them that came

private:
    static constexpr std::size_t kClasses = 7;
    struct Record {
        double hits = 0.0, tries = 0.0;
        // The older half is forgotten when there are most_tries.
        void add(bool is_hit, double most_tries);
    };

    bool is_automatic_;
    std::int32_t most_, n_offered_ = 0, n_taken_ = 0, match_length_ = 0;
    std::int32_t n_came_ = 0;  // of the proposal
    std::int64_t n_drafted_ = 0, n_accepted_ = 0;
    NgramLookup lookup_;
    std::vector<Token> proposal_;
    std::array<Record, kClasses> records_{};  // by the length of the match
    Record all_{};                            // of every length
};

// Decides what each of `calls` takes of its offer into a batch of n_rows step rows, one of each call that decodes; at most
// `budget` rows are added. Returns how many are.
std::int32_t take_drafts(std::span<Speculation* const> calls, std::int32_t n_rows, std::int32_t budget,
                         const StepCosts& costs);

}  // namespace neox
