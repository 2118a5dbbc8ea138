// The processors of transformers 4.57.6 that shape the distribution to draw from
// (generation/logits_process.py); sampler.h has their order. All work in place on scores [n_vocab] f32 and
// set what they remove to -inf; the best `keep` >= 1 stay. NaN scores are left alone. Probabilities are f32,
// as there; their sums, and logarithms of them, are f64.
#pragma once

#include <cstddef>
#include <span>

#include "engine/sampler.h"

namespace neox {

// TemperatureLogitsWarper.
void apply_temperature(std::span<float> scores, float temperature);

// TopKLogitsWarper: ties with the k-th score stay. k >= 1.
void keep_top_k(std::span<float> scores, std::size_t k, SamplerScratch& scratch);

// TopPLogitsWarper: removes the least likely whose probabilities sum up to 1 - top_p at most. Of equal ones
// those with lower ids go first.
void keep_top_p(std::span<float> scores, double top_p, std::size_t keep, SamplerScratch& scratch);

// MinPLogitsWarper: removes what is less likely than min_p times the best.
void keep_min_p(std::span<float> scores, double min_p, std::size_t keep, SamplerScratch& scratch);

// TypicalLogitsWarper: keeps those whose surprise is nearest to the entropy, until their mass reaches
// typical_p.
void keep_typical(std::span<float> scores, double typical_p, std::size_t keep, SamplerScratch& scratch);

// EpsilonLogitsWarper: removes what is less likely than epsilon.
void keep_above_epsilon(std::span<float> scores, double epsilon, std::size_t keep, SamplerScratch& scratch);

// EtaLogitsWarper: the same with min(epsilon, sqrt(epsilon) e^-entropy).
void keep_above_eta(std::span<float> scores, double epsilon, std::size_t keep, SamplerScratch& scratch);

// LogitNormalization: log_softmax.
void normalize_logits(std::span<float> scores);

}  // namespace neox
