// Beam search over scores alone, against a search by hand: the whole tree where it is small, the reference's rules where not.
#include "engine/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "base/rng.h"
#include "check.h"

using namespace neox;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

using Path = std::vector<Token>;

// Log-probabilities that follow from the path alone.
std::vector<float> log_probs(const Path& path, std::int32_t n_vocab, std::uint64_t seed) {
    std::uint64_t key = seed;
    for (const Token id : path) key = key * 1000003 + static_cast<std::uint64_t>(id) + 1;
    std::vector<float> scores(static_cast<std::size_t>(n_vocab));
    double sum = 0.0;
    for (std::int32_t id = 0; id < n_vocab; ++id) {
        scores[static_cast<std::size_t>(id)] =
            static_cast<float>(4.0 * uniform_draw(key, 0, static_cast<std::uint64_t>(id)));
        sum += std::exp(static_cast<double>(scores[static_cast<std::size_t>(id)]));
    }
    for (float& score : scores) score = static_cast<float>(score - std::log(sum));
    return scores;
}

SamplerConfig sampler(std::vector<Token> eos = {}) {
    SamplerConfig config;
    config.eos_token_id = std::move(eos);
    return config;
}

Path tokens_of(const BeamSearch& search, std::int32_t node) {
    Path path;
    for (const std::int32_t each : search.path(node))
        path.push_back(search.nodes()[static_cast<std::size_t>(each)].token);
    return path;
}

struct Outcome {
    std::vector<Path> paths;
    std::vector<float> scores;
    int n_steps = 0;
};

Outcome run(const BeamOptions& options, const SamplerConfig& config, std::int64_t n_new, std::int32_t n_vocab,
            std::uint64_t seed, int last_step = -1) {
    check_beam_options(options, config, n_new, n_vocab);
    BeamSearch search(options, config, n_new);
    Outcome outcome;
    while (!search.is_done()) {
        std::vector<std::vector<float>> rows;
        std::vector<std::span<const float>> spans;
        for (const BeamSearch::Beam& beam : search.beams())
            rows.push_back(log_probs(tokens_of(search, beam.node), n_vocab, seed));
        for (const auto& row : rows) spans.emplace_back(row);
        search.advance(spans, static_cast<std::uint64_t>(outcome.n_steps), outcome.n_steps == last_step);
        ++outcome.n_steps;
    }
    for (const BeamSearch::Finished& each : search.finished()) {
        outcome.paths.push_back(tokens_of(search, each.node));
        outcome.scores.push_back(each.score);
    }
    return outcome;
}

}  // namespace

TEST(beam_search_as_wide_as_the_tree_finds_the_best_sequences) {
    // 3 ids, 3 steps: 27 paths; 9 beams lose nothing before the last step.
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::vector<std::pair<double, Path>> all;
        for (Token a = 0; a < 3; ++a)
            for (Token b = 0; b < 3; ++b)
                for (Token c = 0; c < 3; ++c) {
                    double sum = 0.0;
                    const Path whole{a, b, c};
                    for (std::size_t i = 0; i < 3; ++i)
                        sum += log_probs({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)}, 3,
                                         seed)[static_cast<std::size_t>(whole[i])];
                    all.emplace_back(-sum, whole);
                }
        std::sort(all.begin(), all.end());
        const Outcome found = run({9, 9, 1.0, EarlyStopping::off}, sampler(), 3, 3, seed);
        CHECK_EQ(found.n_steps, 3);
        for (std::size_t i = 0; i < 9; ++i) {
            CHECK(found.paths[i] == all[i].second);
            CHECK(std::fabs(found.scores[i] + all[i].first / 3.0) < 1e-5);
        }
    }
}

TEST(beam_search_of_one_is_greedy) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Path greedy;
        for (int i = 0; i < 8; ++i) {
            const std::vector<float> scores = log_probs(greedy, 50, seed);
            greedy.push_back(
                static_cast<Token>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
        }
        CHECK(run({1, 1, 1.0, EarlyStopping::off}, sampler(), 8, 50, seed).paths[0] == greedy);
    }
}

TEST(beam_search_ends_with_an_eos_and_weighs_lengths) {
    int n_early = 0, n_shorter = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const SamplerConfig config = sampler({1, 2});
        const Outcome any = run({4, 4, 1.0, EarlyStopping::off}, config, 12, 6, seed);
        for (std::size_t i = 0; i < 4; ++i) {
            const Path& path = any.paths[i];
            CHECK(path.size() == 12 || path.back() == 1 || path.back() == 2);
            CHECK(std::none_of(path.begin(), path.end() - 1, [](Token id) { return id == 1 || id == 2; }));
            CHECK(i == 0 || any.scores[i] <= any.scores[i - 1]);
            double sum = 0.0;
            for (std::size_t k = 0; k < path.size(); ++k)
                sum += log_probs({path.begin(), path.begin() + static_cast<std::ptrdiff_t>(k)}, 6,
                                 seed)[static_cast<std::size_t>(path[k])];
            CHECK(std::fabs(any.scores[i] - sum / static_cast<double>(path.size())) < 1e-5);
        }
        const Outcome early = run({4, 4, 1.0, EarlyStopping::on}, config, 12, 6, seed);
        const Outcome never = run({4, 4, 1.0, EarlyStopping::never}, config, 12, 6, seed);
        CHECK(early.n_steps <= any.n_steps && any.n_steps <= never.n_steps);
        n_early += early.n_steps < never.n_steps;
        const std::size_t plain = run({4, 1, 0.0, EarlyStopping::never}, config, 12, 6, seed).paths[0].size();
        const std::size_t rewarded =
            run({4, 1, 3.0, EarlyStopping::never}, config, 12, 6, seed).paths[0].size();
        CHECK(plain <= rewarded);
        n_shorter += plain < rewarded;
    }
    CHECK(n_early > 10);
    CHECK(n_shorter > 10);
}

TEST(beam_search_finishes_everything_when_the_time_is_up) {
    const Outcome cut = run({3, 3, 1.0, EarlyStopping::off}, sampler({1}), 30, 20, 5, 4);
    CHECK_EQ(cut.n_steps, 5);
    const Outcome limited = run({3, 3, 1.0, EarlyStopping::off}, sampler({1}), 5, 20, 5);
    CHECK(cut.paths == limited.paths && cut.scores == limited.scores);
}

TEST(beam_search_orders_equal_scores_by_beam_and_id) {
    BeamSearch search({2, 2, 1.0, EarlyStopping::off}, sampler(), 2);
    const std::vector<float> flat(5, -1.0f);
    const std::span<const float> row(flat);
    const std::span<const float> rows[] = {row, row};
    search.advance(rows, 0, false);
    CHECK(tokens_of(search, search.beams()[0].node) == Path({0}));
    CHECK(tokens_of(search, search.beams()[1].node) == Path({1}));
    search.advance(rows, 1, false);
    CHECK(search.is_done());
    CHECK(tokens_of(search, search.finished()[0].node) == Path({0, 0}));
    CHECK(tokens_of(search, search.finished()[1].node) == Path({0, 1}));
}

TEST(beam_search_draws_without_replacement_by_the_softmax_of_the_sums) {
    // One step of two beams over 4 ids keeps 4 candidates, so each is drawn; their order has the distribution.
    SamplerConfig config = sampler();
    config.do_sample = true;
    const std::vector<float> scores{std::log(0.5f), std::log(0.25f), std::log(0.15f), std::log(0.1f)};
    const std::span<const float> rows[] = {scores, scores};
    std::map<std::pair<Token, Token>, int> pairs;
    const int n = 20000;
    for (int seed = 0; seed < n; ++seed) {
        config.seed = static_cast<std::uint64_t>(seed);
        BeamSearch search({2, 2, 0.0, EarlyStopping::off}, config, 1);
        search.advance(rows, 7, false);
        // Of the finished, the first two drawn, the likelier comes first.
        const Token a = tokens_of(search, search.finished()[0].node)[0];
        const Token b = tokens_of(search, search.finished()[1].node)[0];
        CHECK(a < b);
        ++pairs[{a, b}];
    }
    const double p[] = {0.5, 0.25, 0.15, 0.1};
    double chi = 0.0;
    for (Token a = 0; a < 4; ++a)
        for (Token b = a + 1; b < 4; ++b) {
            const double expected = n * (p[a] * p[b] / (1 - p[a]) + p[b] * p[a] / (1 - p[b]));
            const double difference = pairs[{a, b}] - expected;
            chi += difference * difference / expected;
        }
    CHECK(chi < 20.52);  // 5 degrees of freedom, alpha 0.001
}

TEST(beam_search_draws_the_impossible_last) {
    SamplerConfig config = sampler({0});
    config.do_sample = true;
    const std::vector<float> scores{-kInf, -0.1f, -kInf, -kInf};
    const std::span<const float> rows[] = {scores, scores};
    BeamSearch search({2, 1, 1.0, EarlyStopping::off}, config, 3);
    for (int i = 0; i < 3; ++i) search.advance(rows, static_cast<std::uint64_t>(i), false);
    CHECK(search.is_done());
    CHECK(tokens_of(search, search.finished()[0].node) == Path({1, 1, 1}));
}

TEST(beam_search_refuses_scores_that_are_none) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -kInf}) {
        BeamSearch search({2, 1, 1.0, EarlyStopping::off}, sampler(), 3);
        const std::vector<float> scores(4, bad);
        const std::span<const float> rows[] = {scores, scores};
        CHECK_THROWS(search.advance(rows, 0, false), nan_logits);
    }
}

TEST(beam_search_refuses_options_that_cannot_be) {
    const auto refused = [](BeamOptions options, std::size_t n_eos = 1, std::int64_t n_new = 10) {
        CHECK_THROWS(check_beam_options(options, sampler(std::vector<Token>(n_eos, 0)), n_new, 8),
                     invalid_argument);
    };
    refused({0, 1, 1.0, EarlyStopping::off});
    refused({kMostBeams + 1, 1, 1.0, EarlyStopping::off});
    refused({2, 3, 1.0, EarlyStopping::off});
    refused({2, 0, 1.0, EarlyStopping::off});
    refused({2, 1, 1000.0, EarlyStopping::off});
    refused({2, 1, -1000.0, EarlyStopping::off});
    refused({2, 1, std::numeric_limits<double>::quiet_NaN(), EarlyStopping::off});
    refused({2, 1, 1.0, EarlyStopping::off}, 8);
    check_beam_options({2, 2, -3.0, EarlyStopping::never}, sampler({0}), 10, 8);
}
