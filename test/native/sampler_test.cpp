// The processors' values are held against transformers by test/lib/sampler.test.ts; here is what JavaScript
// does not reach.

#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/exact_math.h"
#include "base/rng.h"
#include "check.h"

namespace {

using neox::Sampler;
using neox::SamplerConfig;
using neox::Token;

constexpr float kOut = -std::numeric_limits<float>::infinity();

std::vector<float> processed(const SamplerConfig& config, std::vector<float> scores,
                             const std::vector<Token>& ids, std::size_t prompt_length) {
    Sampler(config, static_cast<std::int32_t>(scores.size())).process(scores, ids, prompt_length);
    return scores;
}

// A row without ties, in no order.
std::vector<float> row(std::size_t n, std::uint32_t seed) {
    std::vector<float> scores(n);
    for (std::size_t i = 0; i < n; ++i)
        scores[i] = static_cast<float>(8.0 * neox::uniform_draw(seed, 1, i) - 4.0);
    return scores;
}

std::string message_of(const SamplerConfig& config) {
    try {
        Sampler(config, 8);
    } catch (const neox::Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(processors_apply_in_the_order_of_transformers) {
    SamplerConfig config;
    config.sequence_bias = {{{2}, 1.0f}, {{0, 3}, -1.0f}};
    config.repetition_penalty = 2.0;
    config.bad_words_ids = {{1, 0, 4}, {5}};
    config.min_new_tokens = 2;
    config.eos_token_id = {5, 6};
    // The bias comes first, then the penalty on it; a bad word that is one eos id alone is exempt, yet masked
    // as an eos.
    const std::vector<float> got = processed(config, {1, -1, 1, 4, 4, 5, 6, 7}, {2, 1, 0}, 2);
    CHECK((got == std::vector<float>{0.5f, -2, 1, 3, kOut, kOut, kOut, 7}));
}

TEST(biases_of_one_id_add_up_before_they_meet_the_score) {
    SamplerConfig config;
    config.sequence_bias = {{{1}, 9.0f}, {{0, 1}, 0.25f}, {{1}, 0.5f}};  // the third replaces the first
    CHECK((processed(config, {0, 1}, {1, 0}, 1) == std::vector<float>{0, 1.75f}));
    // A sequence longer than the text never applies, even where its beginning matches.
    CHECK((processed(config, {0, 1}, {0}, 1) == std::vector<float>{0, 1.5f}));
}

TEST(many_biases_take_a_moment) {
    constexpr std::int32_t kMany = 200000;  // the square of this would take minutes
    SamplerConfig config;
    for (std::int32_t round = 0; round < 2; ++round)
        for (Token id = 0; id < kMany; ++id)
            config.sequence_bias.push_back({{id}, static_cast<float>(round + 1)});
    config.sequence_bias.push_back({{5, 7}, 0.5f});
    Sampler sampler(config, kMany);
    CHECK_EQ(sampler.config().sequence_bias.size(), kMany + 1);
    for (int step = 0; step < 2; ++step) {
        std::vector<float> scores(kMany, 1.0f);
        sampler.process(scores, std::vector<Token>{1, 5}, 1);
        CHECK_EQ(scores[6], 3.0f);
        CHECK_EQ(scores[7], 3.5f);
        CHECK_EQ(scores[kMany - 1], 3.0f);
    }
}

TEST(forced_tokens_and_lengths) {
    SamplerConfig config;
    config.forced_bos_token_id = 1;
    config.forced_eos_token_id = {2, 3};
    config.max_length = 4;
    config.begin_suppress_tokens = {0};
    const std::vector<float> scores = {4, 3, 2, 1};
    CHECK((processed(config, scores, {1}, 1) == std::vector<float>{kOut, 0, kOut, kOut}));
    CHECK((processed(config, scores, {1, 1}, 1) ==
           std::vector<float>{kOut, 3, 2, 1}));  // begin moves behind the bos
    CHECK((processed(config, scores, {1, 1, 0}, 1) == std::vector<float>{kOut, kOut, 0, 0}));
    CHECK((processed(config, scores, {1, 1, 0, 2}, 1) == scores));
}

TEST(the_decay_leaves_a_masked_eos_masked) {
    SamplerConfig config;
    config.exponential_decay_length_penalty = {1, 1.5};
    config.eos_token_id = {0, 1, 0};
    CHECK((processed(config, {kOut, -2, 2}, {2, 2, 2, 2}, 1) == std::vector<float>{kOut, 0.5f, 2}));
    CHECK((processed(config, {kOut, -2, 2}, {2, 2}, 1) == std::vector<float>{kOut, -2, 2}));
}

TEST(presence_and_frequency_count_the_output_alone) {
    SamplerConfig config;
    config.presence_penalty = 0.5;
    config.frequency_penalty = 0.25;
    const std::vector<Token> ids = {0, 0, 1, 2, 1, 1};
    CHECK((processed(config, {1, 1, 1, 1}, ids, 2) == std::vector<float>{1, -0.25f, 0.25f, 1}));
    CHECK((processed(config, {1, 1, 1, 1}, ids, 6) == std::vector<float>{1, 1, 1, 1}));
    CHECK((processed(config, {kOut, kOut, 0, 0}, ids, 0) == std::vector<float>{kOut, kOut, -0.75f, 0}));
    config.frequency_penalty = std::numeric_limits<float>::max();
    for (const float score : processed(config, {1, 1, 1, 1}, ids, 0)) CHECK(std::isfinite(score));
}

TEST(what_is_not_of_transformers_comes_after_it) {
    SamplerConfig config;
    config.repetition_penalty = 2.0;
    config.suppress_tokens = {2};
    config.presence_penalty = 0.5;
    config.logit_bias = {{1, 0.25f}, {2, 100.0f}, {1, 1.0f}};
    // 4 is halved, then loses 0.5 and gains 1.25; what is suppressed stays so.
    CHECK((processed(config, {0, 4, 0}, {1}, 0) == std::vector<float>{0, 2.75f, kOut}));
    config.do_sample = true;
    config.temperature = 0.5;
    CHECK((processed(config, {0, 4, 0}, {1}, 0) == std::vector<float>{0, 5.5f, kOut}));
}

TEST(top_k_keeps_ties_and_any_k) {
    SamplerConfig config;
    config.do_sample = true;
    config.top_k = 2;
    CHECK((processed(config, {1, 3, 2, 2, 0}, {}, 0) == std::vector<float>{kOut, 3, 2, 2, kOut}));
    for (const std::int32_t k : {1, 7, 511, 512, 513, 2999, 3000, 4000}) {
        config.top_k = k;
        std::size_t left = 0;
        for (const float score : processed(config, row(3000, 5), {}, 0)) left += score > kOut;
        CHECK_EQ(left, k < 3000 ? k : 3000);
    }
}

TEST(top_p_finds_the_border_of_a_full_sort) {
    for (const double top_p : {0.001, 0.3, 0.8, 0.95, 0.999}) {
        const std::vector<float> scores = row(5000, 9);
        std::vector<float> sorted = scores;
        std::sort(sorted.begin(), sorted.end());
        const neox::LogSum log_sum = neox::log_sum_exp(scores);
        double sum = 0.0;
        std::size_t removed = 0;
        for (; removed + 1 < sorted.size(); ++removed) {
            sum += static_cast<float>(log_sum.share(sorted[removed]));
            if (static_cast<float>(sum) > static_cast<float>(1.0 - top_p)) break;
        }
        SamplerConfig config;
        config.do_sample = true;
        config.top_p = top_p;
        const std::vector<float> got = processed(config, scores, {}, 0);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            CHECK_EQ(got[i] > kOut, scores[i] >= sorted[removed]);
        }
    }
}

TEST(warpers_keep_the_best_whatever_the_cutoff) {
    SamplerConfig config;
    config.do_sample = true;
    config.epsilon_cutoff = 0.99;
    std::vector<float> scores = {1, 2, 3, 2.5f};
    Sampler(config, 4).warp(scores, 3);
    CHECK((scores == std::vector<float>{kOut, 2, 3, 2.5f}));
    config.epsilon_cutoff = 0.0;
    config.top_p = 1e-9;
    scores = {1, 2, 3, 2.5f};
    Sampler(config, 4).warp(scores, 2);
    CHECK((scores == std::vector<float>{kOut, kOut, 3, 2.5f}));
    config.top_p = 1.0;
    config.min_p = 1.0;
    scores = {1, 2, 3, 2};
    Sampler(config, 4).warp(scores, 2);  // of equal ones the first, and no more than asked for
    CHECK((scores == std::vector<float>{kOut, 2, 3, kOut}));
    config.min_p = 0.9;
    scores = {1, 3, 3, 3};
    Sampler(config, 4).warp(scores, 2);
    CHECK((scores == std::vector<float>{kOut, 3, 3, 3}));
}

TEST(huge_scores_share_what_there_is) {
    SamplerConfig config;
    config.renormalize_logits = true;
    const float half = static_cast<float>(-std::log(2.0));
    CHECK((processed(config, {1e30f, 1e30f, 0}, {}, 0) == std::vector<float>{half, half, -1e30f}));
}

TEST(greedy_takes_the_first_of_the_largest) {
    Sampler sampler({}, 4);
    CHECK_EQ(sampler.choose(std::vector<float>{1, 3, 3, 2}, 0, 0), 1);
    CHECK_EQ(sampler.choose(std::vector<float>{kOut, kOut, -5, kOut}, 0, 0), 2);
    CHECK_THROWS(sampler.choose(std::vector<float>{1, std::nanf(""), 3, 2}, 0, 0), nan_logits);
    CHECK_THROWS(sampler.choose(std::vector<float>(4, kOut), 0, 0), nan_logits);
}

TEST(draws_follow_the_distribution) {
    SamplerConfig config;
    config.do_sample = true;
    config.seed = 42;
    Sampler sampler(config, 4);
    const std::vector<float> scores = {0.0f, kOut, std::log(2.0f), std::log(5.0f)};
    std::array<int, 4> counts{};
    const int n = 16000;
    for (int i = 0; i < n; ++i)
        ++counts[static_cast<std::size_t>(sampler.choose(scores, 3, static_cast<std::uint64_t>(i)))];
    CHECK_EQ(counts[1], 0);
    CHECK_NEAR(counts[0], n / 8.0, 200);
    CHECK_NEAR(counts[2], n / 4.0, 250);
    CHECK_NEAR(counts[3], n * 5 / 8.0, 300);
}

TEST(a_draw_depends_on_its_key_alone) {
    SamplerConfig config;
    config.do_sample = true;
    config.seed = 0xfedcba9876543210ull;
    Sampler one(config, 1000), two(config, 1000);
    const std::vector<float> scores = row(1000, 3);
    std::vector<Token> forward, backward;
    for (std::uint64_t i = 0; i < 50; ++i) forward.push_back(one.choose(scores, 0, i));
    for (std::uint64_t i = 50; i-- > 0;) backward.push_back(two.choose(scores, 0, i));
    CHECK((std::vector<Token>(backward.rbegin(), backward.rend()) == forward));
    int same = 0;
    for (std::uint64_t i = 0; i < 50; ++i) same += one.choose(scores, 1, i) == forward[i];
    CHECK(same < 5);
}

TEST(plain_greedy_is_recognised) {
    SamplerConfig config;
    CHECK(Sampler(config, 8).is_plain_greedy());
    config.min_new_tokens = 3;
    CHECK(Sampler(config, 8).is_plain_greedy());  // there is no eos to mask
    config.eos_token_id = {3};
    CHECK(!Sampler(config, 8).is_plain_greedy());
    config = {};
    config.suppress_tokens = {1};
    CHECK(!Sampler(config, 8).is_plain_greedy());
    for (const auto& set : std::vector<void (*)(SamplerConfig&)>{
             [](SamplerConfig& c) { c.do_sample = true; },
             [](SamplerConfig& c) { c.presence_penalty = 0.1; },
             [](SamplerConfig& c) { c.frequency_penalty = -0.1; },
             [](SamplerConfig& c) {
                 c.logit_bias = {{1, 1.0f}};
             },
             [](SamplerConfig& c) { c.dry.multiplier = 0.8; },
         }) {
        config = {};
        set(config);
        CHECK(!Sampler(config, 8).is_plain_greedy());
    }
}

TEST(wrong_options_name_themselves) {
    const auto with = [](auto change) {
        SamplerConfig config;
        config.do_sample = true;
        change(config);
        return message_of(config);
    };
    CHECK_EQ(with([](auto& c) { c.temperature = 0.0; }), "temperature must be above 0, not 0.");
    CHECK_EQ(with([](auto& c) { c.temperature = std::nan(""); }), "temperature must be above 0, not nan.");
    CHECK_EQ(with([](auto& c) { c.top_p = 1.5; }), "topP must be above 0 and at most 1, not 1.5.");
    CHECK_EQ(with([](auto& c) { c.min_p = -1; }), "minP must be from 0 to 1, not -1.");
    CHECK_EQ(with([](auto& c) { c.eta_cutoff = 1; }), "etaCutoff must be at least 0 and below 1, not 1.");
    CHECK_EQ(with([](auto& c) { c.top_k = -1; }), "topK must be at least 0, not -1.");
    CHECK_EQ(with([](auto& c) { c.repetition_penalty = 0; }), "repetitionPenalty must be above 0, not 0.");
    CHECK_EQ(with([](auto& c) { c.suppress_tokens = {8}; }),
             "suppressTokens has the token id 8, which is not in 0 to 7.");
    CHECK_EQ(with([](auto& c) { c.bad_words_ids = {{}}; }), "badWordsIds has an empty sequence.");
    CHECK_EQ(with([](auto& c) { c.presence_penalty = std::nan(""); }),
             "presencePenalty must be a number, not nan.");
    CHECK_EQ(with([](auto& c) { c.frequency_penalty = 1e300; }),
             "frequencyPenalty must be a number, not 1e+300.");
    CHECK_EQ(with([](auto& c) {
                 c.logit_bias = {{8, 1.0f}};
             }),
             "logitBias has the token id 8, which is not in 0 to 7.");
    CHECK_EQ(with([](auto& c) { c.logit_bias = {{7, kOut}}; }), "logitBias must be a number, not -inf.");
    CHECK_EQ(with([](auto& c) { c.dry.multiplier = -1; }), "dryMultiplier must be at least 0, not -1.");
    CHECK_EQ(with([](auto& c) { c.dry.base = 0.5; }), "dryBase must be at least 1, not 0.5.");
    CHECK_EQ(with([](auto& c) { c.dry.allowed_length = 0; }), "dryAllowedLength must be at least 1, not 0.");
    CHECK_EQ(with([](auto& c) { c.dry.range = -1; }), "dryRange must be at least 0, not -1.");
    CHECK_EQ(with([](auto& c) { c.dry.breaker_ids = {-1}; }),
             "drySequenceBreakers has the token id -1, which is not in 0 to 7.");
    CHECK_EQ(with([](auto& c) { c.dry.breaker_sequences = {{}}; }),
             "drySequenceBreakers has an empty sequence.");
    SamplerConfig greedy;
    greedy.temperature = 0.0;
    CHECK_EQ(message_of(greedy), "no error");

    Sampler sampler({}, 4);
    std::vector<float> scores(4), few(3);
    const std::vector<Token> ids = {1};
    CHECK_THROWS(sampler.process(few, ids, 1), invalid_argument);
    CHECK_THROWS(sampler.process(scores, ids, 2), invalid_argument);
    SamplerConfig penalty;
    penalty.repetition_penalty = 1.2;
    CHECK_THROWS(Sampler(penalty, 4).process(scores, std::vector<Token>{4}, 1), invalid_argument);
    penalty = {};
    penalty.presence_penalty = 1;
    CHECK_THROWS(Sampler(penalty, 4).process(scores, std::vector<Token>{-1}, 0), invalid_argument);
    penalty = {};
    penalty.dry.multiplier = 1;
    CHECK_THROWS(Sampler(penalty, 4).process(scores, std::vector<Token>{4}, 0), invalid_argument);
}

}  // namespace
