// DRY against its definition, evaluated naively.

#include "engine/dry.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "check.h"

namespace {

using neox::DryConfig;
using neox::DryPenalty;
using neox::Token;
using Ids = std::vector<Token>;

std::vector<float> penalized(const DryConfig& config, const Ids& ids, std::int32_t n_vocab) {
    std::vector<float> scores(static_cast<std::size_t>(n_vocab));
    DryPenalty(config, n_vocab).apply(scores, ids);
    return scores;
}

bool ends_in(const Ids& ids, std::size_t end, const Ids& tail) {
    return tail.size() <= end &&
           std::equal(tail.begin(), tail.end(), ids.begin() + static_cast<std::ptrdiff_t>(end - tail.size()));
}

// All breakers as sequences.
std::vector<Ids> breakers_of(const DryConfig& config) {
    std::vector<Ids> all = config.breaker_sequences;
    for (const Token id : config.breaker_ids) all.push_back({id});
    return all;
}

// The longest run that ends at `at` and at the end of the text, with no breaker that ends inside it.
std::size_t run_length(const Ids& ids, std::size_t at, const std::vector<Ids>& breakers) {
    std::size_t length = 0;
    const auto is_border = [&](std::size_t end) {
        return std::ranges::any_of(breakers, [&](const Ids& breaker) { return ends_in(ids, end, breaker); });
    };
    while (length < at && ids[at - 1 - length] == ids[ids.size() - 1 - length] &&
           !is_border(ids.size() - length))
        ++length;
    return length;
}

std::vector<float> by_definition(const DryConfig& config, Ids ids, std::int32_t n_vocab) {
    if (config.range > 0 && ids.size() > static_cast<std::size_t>(config.range))
        ids.erase(ids.begin(), ids.end() - config.range);
    const std::vector<Ids> breakers = breakers_of(config);
    std::vector<float> scores(static_cast<std::size_t>(n_vocab));
    for (Token next = 0; next < n_vocab; ++next) {
        Ids with = ids;
        with.push_back(next);
        if (std::ranges::any_of(breakers, [&](const Ids& each) { return ends_in(with, with.size(), each); }))
            continue;
        std::size_t longest = 0;
        for (std::size_t at = 0; at < ids.size(); ++at)
            if (ids[at] == next) longest = std::max(longest, run_length(ids, at, breakers));
        if (longest < static_cast<std::size_t>(config.allowed_length)) continue;
        const double power = std::pow(config.base, static_cast<double>(longest) - config.allowed_length);
        scores[static_cast<std::size_t>(next)] = -static_cast<float>(config.multiplier * power);
    }
    return scores;
}

DryConfig on() {
    DryConfig config;
    config.multiplier = 0.5;
    config.base = 2.0;
    return config;
}

TEST(dry_penalizes_what_extends_a_repetition) {
    // "1 2 3" came before 4, "2 3" before 5: 4 costs 0.5 * 2, 5 costs 0.5.
    const Ids ids = {1, 2, 3, 4, 0, 2, 3, 5, 1, 2, 3};
    CHECK((penalized(on(), ids, 6) == std::vector<float>{0, 0, 0, 0, -1, -0.5f}));
    DryConfig longer = on();
    longer.allowed_length = 3;
    CHECK((penalized(longer, ids, 6) == std::vector<float>{0, 0, 0, 0, -0.5f, 0}));
    DryConfig near = on();
    near.range = 8;  // "4 0 2 3 5 1 2 3"
    CHECK((penalized(near, ids, 6) == std::vector<float>{0, 0, 0, 0, 0, -0.5f}));
    CHECK((penalized(on(), {}, 2) == std::vector<float>{0, 0}));
    CHECK((penalized(on(), {1}, 2) == std::vector<float>{0, 0}));
}

TEST(dry_runs_may_overlap) {
    // Seven times the same id: the run of six before the last one.
    CHECK((penalized(on(), Ids(7, 1), 2) == std::vector<float>{0, -8}));
}

TEST(dry_runs_end_at_breakers) {
    const Ids ids = {9, 1, 2, 3, 4, 9, 1, 2, 3};
    DryConfig config = on();
    config.breaker_ids = {9};
    CHECK_EQ(penalized(config, ids, 10)[4], -1.0f);  // not 9 1 2 3
    config.breaker_ids = {1};
    CHECK_EQ(penalized(config, ids, 10)[4], -0.5f);
    config.breaker_ids = {2};
    CHECK_EQ(penalized(config, ids, 10)[4], 0.0f);
    config.breaker_ids = {4};  // a breaker is never penalized itself
    CHECK_EQ(penalized(config, ids, 10)[4], 0.0f);
    config.breaker_ids = {};
    config.breaker_sequences = {{9, 1}};
    CHECK_EQ(penalized(config, ids, 10)[4], -0.5f);
    config.breaker_sequences = {{9, 2}, {2, 3, 4}};  // would be completed
    CHECK_EQ(penalized(config, ids, 10)[4], 0.0f);
}

TEST(dry_is_its_definition) {
    std::uint64_t draw = 0;
    const auto below = [&](std::uint32_t n) {
        return static_cast<std::uint32_t>(neox::uniform_draw(17, 0, draw++) * n);
    };
    std::size_t penalties = 0;
    for (int round = 0; round < 3000; ++round) {
        const std::uint32_t n_vocab = 2 + below(6);
        const auto some_ids = [&](std::size_t n) {
            Ids ids(n);
            for (Token& id : ids) id = static_cast<Token>(below(n_vocab));
            return ids;
        };
        DryConfig config = on();
        config.allowed_length = static_cast<std::int32_t>(1 + below(3));
        config.range = below(2) == 0 ? 0 : static_cast<std::int32_t>(1 + below(30));
        config.breaker_ids = some_ids(below(8) == 0 ? 1 : 0);
        for (std::uint32_t i = below(3); i > 0; --i)
            config.breaker_sequences.push_back(some_ids(1 + below(4)));
        const Ids ids = some_ids(below(50));
        const std::vector<float> got = penalized(config, ids, static_cast<std::int32_t>(n_vocab));
        CHECK((got == by_definition(config, ids, static_cast<std::int32_t>(n_vocab))));
        penalties +=
            static_cast<std::size_t>(std::ranges::count_if(got, [](float score) { return score < 0; }));
    }
    CHECK(penalties > 2000);
}

TEST(dry_is_linear_and_finite) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<float> scores =
        penalized(on(), Ids(1000000, 1), 2);  // the square of this would take minutes
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    CHECK_EQ(scores[1], -static_cast<float>(DryPenalty::kMaxPenalty));
}

TEST(dry_can_be_applied_again) {
    DryPenalty penalty(on(), 4);
    for (int round = 0; round < 2; ++round) {
        std::vector<float> scores(4), others(4);
        penalty.apply(scores, Ids{1, 2, 3, 1, 2});
        CHECK((scores == std::vector<float>{0, 0, 0, -0.5f}));
        penalty.apply(others, Ids{1, 2, 0, 1, 2});
        CHECK((others == std::vector<float>{-0.5f, 0, 0, 0}));
    }
}

}  // namespace
