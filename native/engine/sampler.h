// From logits to a token id: Hugging Face's logits processors in their order, then argmax or a keyed draw.
//
// The order is that of transformers 4.57.6, GenerationMixin._get_logits_processor: sequence bias, repetition
// penalty, no-repeat n-gram, bad words, min length, min new tokens, forced bos, forced eos, exponential
// decay, suppress, begin suppress, (user), then, only when sampling, temperature, top-k, top-p, min-p,
// typical-p, epsilon, eta; renormalize runs last in both cases.
//
// Three that are not Hugging Face's stand after begin suppress and before the user's, so that what the reference
// decided is decided first, and a user sees all of it: presence and frequency penalties, DRY, logit bias. None of
// them can bring back what is -inf.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/dry.h"
#include "engine/token.h"

namespace neox {

// Values in Hugging Face's meaning; a default leaves its processor out. Reals are double, as Python's are: 1
// - top_p must be rounded to f32 after the subtraction.
struct SamplerConfig {
    bool do_sample = false;
    double temperature = 1.0;         // > 0 when sampling
    std::int32_t top_k = 0;           // 0: off
    double top_p = 1.0;               // (0, 1], 1: off
    double min_p = 0.0;               // [0, 1], 0: off
    double typical_p = 1.0;           // (0, 1], 1: off
    double epsilon_cutoff = 0.0;      // [0, 1), 0: off
    double eta_cutoff = 0.0;          // [0, 1), 0: off
    double repetition_penalty = 1.0;  // > 0, 1: off
    std::int32_t no_repeat_ngram_size = 0;
    std::vector<std::vector<Token>> bad_words_ids;
    std::vector<std::pair<std::vector<Token>, float>>
        sequence_bias;            // of a sequence given twice, the last counts
    std::int32_t min_length = 0;  // counts the prompt
    std::int32_t min_new_tokens = 0;
    std::optional<Token> forced_bos_token_id;
    std::vector<Token> forced_eos_token_id;
    std::int32_t max_length = 0;  // prompt + new tokens; needed by forced eos (0: unknown, no forced eos)
    std::optional<std::pair<std::int32_t, double>> exponential_decay_length_penalty;  // (start, factor)
    std::vector<Token> suppress_tokens;
    std::vector<Token> begin_suppress_tokens;
    bool renormalize_logits = false;
    std::vector<Token> eos_token_id;
    // Not Hugging Face's.
    double presence_penalty = 0.0;   // a number, 0: off
    double frequency_penalty = 0.0;  // a number, 0: off
    DryConfig dry;
    std::vector<std::pair<Token, float>> logit_bias;  // those of one id add up
    std::uint64_t seed = 0;
};

// Working memory of the processors, kept between tokens.
struct SamplerScratch {
    std::vector<float> values;
    std::vector<Token> order;
    std::vector<double> sums;
    std::vector<std::uint32_t> seen;  // [n_vocab], the last `round` in which the id was seen
    std::uint32_t round = 0;

    // Makes every id unseen.
    void start_round(std::size_t n_vocab);
    // Whether this is the first time in the round.
    bool see(Token id) { return std::exchange(seen[static_cast<std::size_t>(id)], round) != round; }
};

// One sampler belongs to one sequence (it owns scratch); not thread-safe.
class Sampler {
public:
    // Throws ERR_NEOX_INVALID_ARGUMENT naming the option, its range and the value; ids must be in [0,
    // n_vocab).
    Sampler(SamplerConfig config, std::int32_t n_vocab);

    const SamplerConfig& config() const { return config_; }

    // In place, scores: [n_vocab] f32. `ids` = prompt + output so far (embedding rows left out, as
    // transformers has no ids for them); prompt_length of them are the prompt. The processors up to the
    // user's place ...
    void process_logits(std::span<float> scores, std::span<const Token> ids, std::size_t prompt_length);
    // ... and those after it (without do_sample only renormalize_logits). The best min_tokens_to_keep stay.
    void warp(std::span<float> scores, std::size_t min_tokens_to_keep = 1);
    // Both.
    void process(std::span<float> scores, std::span<const Token> ids, std::size_t prompt_length,
                 std::size_t min_tokens_to_keep = 1);

    // Greedy: the first of the largest. Sampling: softmax, then the draw keyed by (seed, choice, position),
    // so the same scores give the same id on every machine. `position` counts tokens of the sequence. Throws
    // ERR_NEOX_NAN when a score is NaN, or when none is above -inf.
    Token choose(std::span<const float> scores, std::uint32_t choice, std::uint64_t position);

    // True when the argmax of the raw logits is what choose() would return: the full row need not leave the
    // backend.
    bool is_plain_greedy() const;

private:
    SamplerConfig config_;
    std::int32_t n_vocab_;
    SamplerScratch scratch_;
    std::optional<DryPenalty> dry_;  // when on
};

}  // namespace neox
