// The logits processors of transformers 4.57.6 (generation/logits_process.py) that act on ids and lengths, and two of
// other make; sampler.h has their order. All work in place on scores [n_vocab] f32; ids lie in [0, n_vocab).
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "engine/sampler.h"

namespace neox {

// SequenceBiasLogitsProcessor: adds the bias of each sequence to its last id where the others end `ids`.
// Biases of one id add up before they meet the score.
void bias_sequences(std::span<float> scores, std::span<const Token> ids,
                    std::span<const std::pair<std::vector<Token>, float>> biases, SamplerScratch& scratch);

// RepetitionPenaltyLogitsProcessor: every id of the text once.
void penalize_repetition(std::span<float> scores, std::span<const Token> ids, float penalty,
                         SamplerScratch& scratch);

// NoRepeatNGramLogitsProcessor: -inf for what would complete an n-gram that the text has already.
void forbid_repeated_ngrams(std::span<float> scores, std::span<const Token> ids, std::size_t n);

// NoBadWordsLogitsProcessor: -inf for what would complete one of the sequences. Those that are one eos id
// alone are exempt.
void forbid_sequences(std::span<float> scores, std::span<const Token> ids,
                      std::span<const std::vector<Token>> sequences, std::span<const Token> eos);

// MinLength, MinNewTokensLength, SuppressTokens, SuppressTokensAtBegin: -inf for each of the tokens.
void forbid_tokens(std::span<float> scores, std::span<const Token> tokens);

// ForcedBOSToken, ForcedEOSToken: nothing but the tokens is possible.
void force_tokens(std::span<float> scores, std::span<const Token> tokens);

// ExponentialDecayLengthPenalty: raises the eos ids by |score| (factor^excess - 1); excess > 0 counts the
// tokens beyond the start. -inf stays -inf, where the original has NaN.
void raise_eos(std::span<float> scores, std::span<const Token> eos, double factor, int excess);

// Not Hugging Face's but OpenAI's: every id of the output loses presence + frequency * how often it came.
void penalize_output(std::span<float> scores, std::span<const Token> output, double presence,
                     double frequency, SamplerScratch& scratch);

// Not Hugging Face's but OpenAI's logit bias: added as it is.
void bias_tokens(std::span<float> scores, std::span<const std::pair<Token, float>> biases);

}  // namespace neox
