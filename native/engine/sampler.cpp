#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/exact_math.h"
#include "base/rng.h"
#include "engine/processors.h"
#include "engine/warpers.h"

namespace neox {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void check_range(const char* name, const char* range, double value, bool good) {
    if (!good) fail(ErrorCode::invalid_argument, name, " must be ", range, ", not ", value, ".");
}

void check_ids(const char* name, std::span<const Token> ids, std::int32_t n_vocab) {
    for (const Token id : ids) {
        if (id >= 0 && id < n_vocab) continue;
        fail(ErrorCode::invalid_argument, name, " has the token id ", id, ", which is not in 0 to ",
             n_vocab - 1, ".");
    }
}

void check_sequence(const char* name, std::span<const Token> ids, std::int32_t n_vocab) {
    if (ids.empty()) fail(ErrorCode::invalid_argument, name, " has an empty sequence.");
    check_ids(name, ids, n_vocab);
}

// What is not Hugging Face's.
void check_extras(const SamplerConfig& config, std::int32_t n_vocab) {
    const auto number = [](const char* name, double value) {
        check_range(name, "a number", value, std::fabs(value) <= std::numeric_limits<float>::max());
    };
    number("presencePenalty", config.presence_penalty);
    number("frequencyPenalty", config.frequency_penalty);
    for (const auto& [id, bias] : config.logit_bias) {
        check_ids("logitBias", {&id, 1}, n_vocab);
        number("logitBias", bias);
    }
    const DryConfig& dry = config.dry;
    check_range("dryMultiplier", "at least 0", dry.multiplier,
                dry.multiplier >= 0.0 && std::isfinite(dry.multiplier));
    check_range("dryBase", "at least 1", dry.base, dry.base >= 1.0 && std::isfinite(dry.base));
    check_range("dryAllowedLength", "at least 1", dry.allowed_length, dry.allowed_length >= 1);
    check_range("dryRange", "at least 0", dry.range, dry.range >= 0);
    check_ids("drySequenceBreakers", dry.breaker_ids, n_vocab);
    for (const auto& sequence : dry.breaker_sequences)
        check_sequence("drySequenceBreakers", sequence, n_vocab);
}

void check(const SamplerConfig& config, std::int32_t n_vocab) {
    if (n_vocab < 1)
        fail(ErrorCode::invalid_argument, "The vocabulary size must be at least 1, not ", n_vocab, ".");
    const bool t_good = config.temperature >= 0.0 && (config.temperature > 0.0 || !config.do_sample);
    check_range("temperature", "above 0", config.temperature, t_good && std::isfinite(config.temperature));
    const auto fraction = [](const char* name, double value) {
        check_range(name, "above 0 and at most 1", value, value > 0.0 && value <= 1.0);
    };
    fraction("topP", config.top_p);
    fraction("typicalP", config.typical_p);
    check_range("minP", "from 0 to 1", config.min_p, config.min_p >= 0.0 && config.min_p <= 1.0);
    const auto cutoff = [](const char* name, double value) {
        check_range(name, "at least 0 and below 1", value, value >= 0.0 && value < 1.0);
    };
    cutoff("epsilonCutoff", config.epsilon_cutoff);
    cutoff("etaCutoff", config.eta_cutoff);
    check_range("repetitionPenalty", "above 0", config.repetition_penalty,
                config.repetition_penalty > 0.0 && std::isfinite(config.repetition_penalty));
    const auto count = [](const char* name, std::int32_t value) {
        check_range(name, "at least 0", value, value >= 0);
    };
    count("topK", config.top_k);
    count("noRepeatNgramSize", config.no_repeat_ngram_size);
    count("minLength", config.min_length);
    count("minNewTokens", config.min_new_tokens);
    count("maxLength", config.max_length);
    for (const auto& sequence : config.bad_words_ids) check_sequence("badWordsIds", sequence, n_vocab);
    for (const auto& [sequence, bias] : config.sequence_bias) {
        check_sequence("sequenceBias", sequence, n_vocab);
        check_range("sequenceBias", "a number", bias, !std::isnan(bias));
    }
    if (config.exponential_decay_length_penalty) {
        const auto [start, factor] = *config.exponential_decay_length_penalty;
        count("exponentialDecayLengthPenalty", start);
        check_range("exponentialDecayLengthPenalty", "a positive factor", factor,
                    factor > 0.0 && std::isfinite(factor));
    }
    if (config.forced_bos_token_id) check_ids("forcedBosTokenId", {&*config.forced_bos_token_id, 1}, n_vocab);
    check_ids("forcedEosTokenId", config.forced_eos_token_id, n_vocab);
    check_ids("suppressTokens", config.suppress_tokens, n_vocab);
    check_ids("beginSuppressTokens", config.begin_suppress_tokens, n_vocab);
    check_ids("eosTokenId", config.eos_token_id, n_vocab);
    check_extras(config, n_vocab);
}

// Hugging Face keeps the biases in a dictionary.
void drop_overridden(std::vector<std::pair<std::vector<Token>, float>>& biases) {
    std::vector<std::pair<std::vector<Token>, float>> kept;
    std::map<std::vector<Token>, std::size_t> places;
    for (auto& entry : biases) {
        const auto [place, is_new] = places.try_emplace(entry.first, kept.size());
        if (is_new)
            kept.push_back(std::move(entry));
        else
            kept[place->second].second = entry.second;
    }
    biases = std::move(kept);
}

}  // namespace

Sampler::Sampler(SamplerConfig config, std::int32_t n_vocab) : config_(std::move(config)), n_vocab_(n_vocab) {
    check(config_, n_vocab_);
    drop_overridden(config_.sequence_bias);
    if (config_.dry.multiplier > 0.0) dry_.emplace(config_.dry, n_vocab_);
}

void Sampler::process_logits(std::span<float> scores, std::span<const Token> ids, std::size_t prompt_length) {
    const SamplerConfig& c = config_;
    if (scores.size() != static_cast<std::size_t>(n_vocab_)) {
        fail(ErrorCode::invalid_argument, "scores has ", scores.size(), " values, expected ", n_vocab_, ".");
    }
    if (prompt_length > ids.size()) {
        fail(ErrorCode::invalid_argument, "promptLength is ", prompt_length, ", but there are ", ids.size(),
             " ids.");
    }
    const std::size_t n_ids = ids.size();
    const std::size_t n_new = n_ids - prompt_length;
    const auto below = [](std::size_t n, std::int32_t limit) { return n < static_cast<std::size_t>(limit); };

    if (!c.sequence_bias.empty()) bias_sequences(scores, ids, c.sequence_bias, scratch_);
    const bool penalizes_output = c.presence_penalty != 0.0 || c.frequency_penalty != 0.0;
    if (c.repetition_penalty != 1.0 || c.no_repeat_ngram_size > 0 || penalizes_output || dry_)
        check_ids("ids", ids, n_vocab_);
    if (c.repetition_penalty != 1.0) {
        penalize_repetition(scores, ids, static_cast<float>(c.repetition_penalty), scratch_);
    }
    if (c.no_repeat_ngram_size > 0) {
        forbid_repeated_ngrams(scores, ids, static_cast<std::size_t>(c.no_repeat_ngram_size));
    }
    if (!c.bad_words_ids.empty()) forbid_sequences(scores, ids, c.bad_words_ids, c.eos_token_id);
    if (below(n_ids, c.min_length) || below(n_new, c.min_new_tokens)) forbid_tokens(scores, c.eos_token_id);
    if (c.forced_bos_token_id && n_ids == 1) force_tokens(scores, {&*c.forced_bos_token_id, 1});
    if (!c.forced_eos_token_id.empty() && c.max_length > 0 &&
        n_ids + 1 == static_cast<std::size_t>(c.max_length)) {
        force_tokens(scores, c.forced_eos_token_id);
    }
    if (c.exponential_decay_length_penalty) {
        const auto [start, factor] = *c.exponential_decay_length_penalty;
        if (n_new > static_cast<std::size_t>(start)) {
            raise_eos(scores, c.eos_token_id, factor, static_cast<int>(n_new) - start);
        }
    }
    forbid_tokens(scores, c.suppress_tokens);
    // After a prompt of one token a forced bos comes first.
    const std::size_t begin = prompt_length <= 1 && c.forced_bos_token_id ? prompt_length + 1 : prompt_length;
    if (n_ids == begin) forbid_tokens(scores, c.begin_suppress_tokens);

    if (penalizes_output) {
        penalize_output(scores, ids.last(n_new), c.presence_penalty, c.frequency_penalty, scratch_);
    }
    if (dry_) dry_->apply(scores, ids);
    bias_tokens(scores, c.logit_bias);
}

void Sampler::warp(std::span<float> scores, std::size_t min_tokens_to_keep) {
    const SamplerConfig& c = config_;
    const std::size_t keep = std::max<std::size_t>(1, min_tokens_to_keep);
    if (c.do_sample) {
        if (c.temperature != 1.0) apply_temperature(scores, static_cast<float>(c.temperature));
        if (c.top_k > 0) keep_top_k(scores, std::max(static_cast<std::size_t>(c.top_k), keep), scratch_);
        if (c.top_p < 1.0) keep_top_p(scores, c.top_p, keep, scratch_);
        if (c.min_p > 0.0) keep_min_p(scores, c.min_p, keep, scratch_);
        if (c.typical_p < 1.0) keep_typical(scores, c.typical_p, keep, scratch_);
        if (c.epsilon_cutoff > 0.0) keep_above_epsilon(scores, c.epsilon_cutoff, keep, scratch_);
        if (c.eta_cutoff > 0.0) keep_above_eta(scores, c.eta_cutoff, keep, scratch_);
    }
    if (c.renormalize_logits) normalize_logits(scores);
}

void Sampler::process(std::span<float> scores, std::span<const Token> ids, std::size_t prompt_length,
                      std::size_t min_tokens_to_keep) {
    process_logits(scores, ids, prompt_length);
    warp(scores, min_tokens_to_keep);
}

Token Sampler::choose(std::span<const float> scores, std::uint32_t choice, std::uint64_t position) {
    Token best = 0;
    float largest = -kInfinity;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (std::isnan(scores[i])) {
            fail(ErrorCode::nan_logits, "The score of token ", i, " at position ", position,
                 " is not a number.");
        }
        if (scores[i] > largest) {
            largest = scores[i];
            best = static_cast<Token>(i);
        }
    }
    if (largest == -kInfinity) {
        fail(ErrorCode::nan_logits, "Every token is excluded at position ", position, ".");
    }
    // Nothing but the infinitely likely can be drawn beside it; the first of them, as when greedy.
    if (!config_.do_sample || largest == kInfinity) return best;

    // Running sums of e^(score - largest), by id; the draw falls into the first that is above its share of
    // the total.
    std::vector<double>& sums = scratch_.sums;
    sums.resize(scores.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (scores[i] > -kInfinity) sum += exact_exp(static_cast<double>(scores[i]) - largest);
        sums[i] = sum;
    }
    const double target = uniform_draw(config_.seed, choice, position) * sum;
    return static_cast<Token>(std::upper_bound(sums.begin(), sums.end(), target) - sums.begin());
}

bool Sampler::is_plain_greedy() const {
    const SamplerConfig& c = config_;
    const bool eos_rules = c.min_length > 0 || c.min_new_tokens > 0 || c.exponential_decay_length_penalty;
    return !c.do_sample && c.repetition_penalty == 1.0 && c.no_repeat_ngram_size == 0 &&
           c.bad_words_ids.empty() && c.sequence_bias.empty() && !(eos_rules && !c.eos_token_id.empty()) &&
           !c.forced_bos_token_id && c.forced_eos_token_id.empty() && c.suppress_tokens.empty() &&
           c.begin_suppress_tokens.empty() && c.presence_penalty == 0.0 && c.frequency_penalty == 0.0 &&
           !dry_ && c.logit_bias.empty() &&
           !c.renormalize_logits;  // which may round different scores to the same
}

}  // namespace neox
