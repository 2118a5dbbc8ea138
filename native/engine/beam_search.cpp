#include "engine/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/exact_math.h"
#include "base/rng.h"

namespace neox {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Stands for -inf in the reference: what is added to keep a candidate out.
constexpr float kOut = -1e9f;

std::size_t count_candidates(std::size_t n_eos) { return std::max<std::size_t>(2, 1 + n_eos); }

bool is_better(const BeamSearch::Candidate& a, const BeamSearch::Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

double power(std::int64_t length, double exponent) {
    if (exponent == 1.0) return static_cast<double>(length);
    return exact_exp(exponent * exact_log(static_cast<double>(length)));
}

}  // namespace

void check_beam_options(const BeamOptions& options, const SamplerConfig& sampler, std::int64_t max_new_tokens,
                        std::int32_t n_vocab) {
    if (options.n_beams < 1 || options.n_beams > kMostBeams)
        fail(ErrorCode::invalid_argument, "numBeams must be from 1 to ", kMostBeams, ", not ",
             options.n_beams, ".");
    if (options.n_return < 1 || options.n_return > options.n_beams)
        fail(ErrorCode::invalid_argument, "numReturnSequences must be from 1 to numBeams (", options.n_beams,
             "), not ", options.n_return, ".");
    const double longest = power(max_new_tokens, options.length_penalty);
    // Divided by in float32.
    if (!(longest >= std::numeric_limits<float>::min() && longest <= std::numeric_limits<float>::max()))
        fail(ErrorCode::invalid_argument, "lengthPenalty ", options.length_penalty, " is too large for ",
             max_new_tokens, " new tokens.");
    if (count_candidates(sampler.eos_token_id.size()) > static_cast<std::size_t>(n_vocab))
        fail(ErrorCode::invalid_argument, "Beams need more than ", sampler.eos_token_id.size(),
             " tokens beside eosTokenId, but the vocabulary has ", n_vocab, ".");
}

BeamSearch::BeamSearch(const BeamOptions& options, const SamplerConfig& sampler, std::int64_t max_new_tokens)
    : options_(options), eos_(sampler.eos_token_id), do_sample_(sampler.do_sample), seed_(sampler.seed),
      max_new_tokens_(max_new_tokens),
      n_candidates_(count_candidates(eos_.size()) * static_cast<std::size_t>(options.n_beams)),
      beams_(static_cast<std::size_t>(options.n_beams)),
      finished_(static_cast<std::size_t>(options.n_beams)) {
    // All beams begin with the same rows: only the first one's tokens shall be seen.
    for (std::size_t i = 1; i < beams_.size(); ++i) beams_[i].score = kOut;
}

std::size_t BeamSearch::min_tokens_to_keep() const { return count_candidates(eos_.size()); }

float BeamSearch::length_norm(std::int64_t length) const {
    return static_cast<float>(power(length, options_.length_penalty));
}

bool BeamSearch::are_all_finished() const {
    return std::all_of(finished_.begin(), finished_.end(),
                       [](const Finished& each) { return each.is_finished; });
}

void BeamSearch::advance(std::span<const std::span<const float>> rows, std::uint64_t position, bool is_last) {
    if (do_sample_)
        draw(rows, position);
    else
        keep_best(rows, n_candidates_);
    ++length_;
    const bool must_end = is_last || length_ >= max_new_tokens_;
    has_ended_.clear();
    for (Candidate& candidate : candidates_) {
        candidate.node = static_cast<std::int32_t>(nodes_.size());
        nodes_.push_back(
            {beams_[static_cast<std::size_t>(candidate.beam)].node, candidate.beam, candidate.token});
        has_ended_.push_back(must_end || std::find(eos_.begin(), eos_.end(), candidate.token) != eos_.end());
    }
    continue_beams();
    take_finished();
    may_improve_ = may_improve_ && can_improve();
    const bool is_full = options_.early_stopping == EarlyStopping::on && are_all_finished();
    const bool can_continue = std::find(has_ended_.begin(), has_ended_.end(), false) != has_ended_.end();
    is_done_ = !(may_improve_ && !is_full && can_continue);
}

// The best n candidates of all beams, best first: a heap with the worst of them at its front.
void BeamSearch::keep_best(std::span<const std::span<const float>> rows, std::size_t n) {
    candidates_.clear();
    for (std::size_t beam = 0; beam < rows.size(); ++beam) {
        const float sum = beams_[beam].score;
        for (std::size_t id = 0; id < rows[beam].size(); ++id) {
            const float score = rows[beam][id] + sum;
            if (std::isnan(score))
                fail(ErrorCode::nan_logits, "The score of token ", id, " after ", length_,
                     " new tokens is not a number.");
            if (candidates_.size() == n) {
                if (score <= candidates_.front().score) continue;  // of equal ones the first stay
                std::pop_heap(candidates_.begin(), candidates_.end(), is_better);
                candidates_.pop_back();
            }
            candidates_.push_back({score, static_cast<std::int32_t>(beam), static_cast<Token>(id), -1});
            std::push_heap(candidates_.begin(), candidates_.end(), is_better);
        }
    }
    std::sort_heap(candidates_.begin(), candidates_.end(), is_better);
    if (candidates_.front().score == -kInfinity)
        fail(ErrorCode::nan_logits, "Every token is excluded after ", length_, " new tokens.");
}

// Candidates drawn one after another without replacement, by the softmax of all sums: the same distribution as that of
// torch.multinomial, in the same order. Where fewer are possible than are wanted, the best of the others follow.
void BeamSearch::draw(std::span<const std::span<const float>> rows, std::uint64_t position) {
    keep_best(rows, n_candidates_);
    const double largest = candidates_.front().score;
    pool_.clear();
    weights_.clear();
    for (std::size_t beam = 0; beam < rows.size(); ++beam) {
        for (std::size_t id = 0; id < rows[beam].size(); ++id) {
            const float score = rows[beam][id] + beams_[beam].score;
            const double weight = score == largest ? 1.0 : exact_exp(static_cast<double>(score) - largest);
            if (!(weight > 0.0)) continue;
            pool_.push_back({score, static_cast<std::int32_t>(beam), static_cast<Token>(id), -1});
            weights_.push_back(weight);
        }
    }
    const std::vector<Candidate> best = candidates_;
    candidates_.clear();
    while (candidates_.size() < std::min(n_candidates_, pool_.size())) {
        const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
        const double target =
            uniform_draw(seed_, static_cast<std::uint32_t>(candidates_.size()), position) * total;
        std::size_t chosen = pool_.size();
        double sum = 0.0;
        for (std::size_t i = 0; i < pool_.size() && sum <= target; ++i) {
            sum += weights_[i];
            if (weights_[i] > 0.0) chosen = i;
        }
        candidates_.push_back(pool_[chosen]);
        weights_[chosen] = 0.0;
    }
    for (const Candidate& candidate : best) {
        if (candidates_.size() == n_candidates_) return;
        const auto is_same = [&](const Candidate& other) {
            return other.beam == candidate.beam && other.token == candidate.token;
        };
        if (std::none_of(candidates_.begin(), candidates_.end(), is_same)) candidates_.push_back(candidate);
    }
}

// The best candidates that are not finished become the beams.
void BeamSearch::continue_beams() {
    order_.resize(candidates_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto score = [&](std::size_t i) {
        return has_ended_[i] ? candidates_[i].score + kOut : candidates_[i].score;
    };
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
    for (std::size_t i = 0; i < beams_.size(); ++i)
        beams_[i] = {candidates_[order_[i]].node, score(order_[i])};
}

// Only the first n_beams candidates may be finished sequences: the others are there so that enough go on.
void BeamSearch::take_finished() {
    const bool is_full = options_.early_stopping == EarlyStopping::on && are_all_finished();
    const float norm = length_norm(length_);
    merged_ = finished_;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
        const bool has_finished = has_ended_[i] && i < beams_.size();
        float score = candidates_[i].score / norm;
        if (is_full) score += kOut;
        if (!may_improve_) score += kOut;
        if (!has_finished) score += kOut;
        merged_.push_back({candidates_[i].node, score, has_finished});
    }
    std::stable_sort(merged_.begin(), merged_.end(),
                     [](const Finished& a, const Finished& b) { return a.score > b.score; });
    std::copy_n(merged_.begin(), finished_.size(), finished_.begin());
}

// Whether the best beam may still displace a finished sequence, by the reference's estimate.
bool BeamSearch::can_improve() const {
    const bool grows = options_.early_stopping == EarlyStopping::never && options_.length_penalty > 0.0;
    const float best = beams_.front().score / length_norm(grows ? max_new_tokens_ : length_);
    const bool has_place = !are_all_finished();
    return (has_place && best > kOut) ||
           std::any_of(finished_.begin(), finished_.end(), [&](const Finished& each) {
               return each.is_finished && best > finished_.back().score;
           });
}

std::vector<std::int32_t> BeamSearch::path(std::int32_t node) const {
    std::vector<std::int32_t> nodes;
    for (; node >= 0; node = nodes_[static_cast<std::size_t>(node)].before) nodes.push_back(node);
    std::reverse(nodes.begin(), nodes.end());
    return nodes;
}

}  // namespace neox
