#include "engine/processors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/exact_math.h"

namespace neox {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr double kLargest = 1e30;

float& at(std::span<float> scores, Token id) { return scores[static_cast<std::size_t>(id)]; }

// Whether the sequence's ids but the last end the text. As in the original, the whole sequence must not be
// longer than it.
bool may_complete(std::span<const Token> ids, std::span<const Token> sequence) {
    if (sequence.size() == 1) return true;
    if (sequence.size() > ids.size()) return false;
    const std::span<const Token> prefix = sequence.first(sequence.size() - 1);
    return std::equal(prefix.begin(), prefix.end(), ids.end() - static_cast<std::ptrdiff_t>(prefix.size()));
}

}  // namespace

void SamplerScratch::start_round(std::size_t n_vocab) {
    if (seen.size() != n_vocab || ++round == 0) {
        seen.assign(n_vocab, 0);
        round = 1;
    }
}

void bias_sequences(std::span<float> scores, std::span<const Token> ids,
                    std::span<const std::pair<std::vector<Token>, float>> biases, SamplerScratch& scratch) {
    // The sum of each id's biases, in the order of the original's additions.
    scratch.start_round(scores.size());
    std::vector<float>& sums = scratch.values;
    sums.resize(scores.size());
    scratch.order.clear();
    const auto add = [&](Token id, float bias) {
        float& sum = sums[static_cast<std::size_t>(id)];
        if (scratch.see(id)) {
            sum = bias;
            scratch.order.push_back(id);
        } else {
            sum += bias;
        }
    };
    for (const bool single : {true, false}) {
        for (const auto& [sequence, bias] : biases) {
            if ((sequence.size() == 1) == single && may_complete(ids, sequence)) add(sequence.back(), bias);
        }
    }
    for (const Token id : scratch.order) at(scores, id) += sums[static_cast<std::size_t>(id)];
}

void penalize_repetition(std::span<float> scores, std::span<const Token> ids, float penalty,
                         SamplerScratch& scratch) {
    scratch.start_round(scores.size());
    for (const Token id : ids) {
        if (!scratch.see(id)) continue;
        float& score = at(scores, id);
        score = score < 0.0f ? score * penalty : score / penalty;
    }
}

void forbid_repeated_ngrams(std::span<float> scores, std::span<const Token> ids, std::size_t n) {
    if (ids.size() < n) return;  // no n-gram yet
    const std::span<const Token> last = ids.last(n - 1);
    for (std::size_t begin = 0; begin + n <= ids.size(); ++begin) {
        if (std::equal(last.begin(), last.end(), ids.begin() + static_cast<std::ptrdiff_t>(begin))) {
            at(scores, ids[begin + n - 1]) = kMinusInfinity;
        }
    }
}

void forbid_sequences(std::span<float> scores, std::span<const Token> ids,
                      std::span<const std::vector<Token>> sequences, std::span<const Token> eos) {
    for (const std::vector<Token>& sequence : sequences) {
        const Token last = sequence.back();
        if (sequence.size() == 1 && std::find(eos.begin(), eos.end(), last) != eos.end()) continue;
        if (may_complete(ids, sequence)) at(scores, last) = kMinusInfinity;
    }
}

void forbid_tokens(std::span<float> scores, std::span<const Token> tokens) {
    for (const Token id : tokens) at(scores, id) = kMinusInfinity;
}

void force_tokens(std::span<float> scores, std::span<const Token> tokens) {
    std::fill(scores.begin(), scores.end(), kMinusInfinity);
    for (const Token id : tokens) at(scores, id) = 0.0f;
}

void raise_eos(std::span<float> scores, std::span<const Token> eos, double factor, int excess) {
    const float raise = static_cast<float>(exact_pow(factor, excess) - 1.0);
    for (std::size_t i = 0; i < eos.size(); ++i) {
        // An id given twice is raised once.
        if (std::find(eos.begin(), eos.begin() + static_cast<std::ptrdiff_t>(i), eos[i]) !=
            eos.begin() + static_cast<std::ptrdiff_t>(i)) {
            continue;
        }
        float& score = at(scores, eos[i]);
        if (score != kMinusInfinity) score += std::fabs(score) * raise;
    }
}

void penalize_output(std::span<float> scores, std::span<const Token> output, double presence,
                     double frequency, SamplerScratch& scratch) {
    scratch.start_round(scores.size());
    std::vector<double>& counts = scratch.sums;
    counts.resize(std::max(counts.size(), scores.size()));
    scratch.order.clear();
    for (const Token id : output) {
        double& count = counts[static_cast<std::size_t>(id)];
        if (scratch.see(id)) {
            count = 0.0;
            scratch.order.push_back(id);
        }
        count += 1.0;
    }
    for (const Token id : scratch.order) {
        // What is larger would take scores out of f32.
        const double penalty = presence + frequency * counts[static_cast<std::size_t>(id)];
        at(scores, id) -= static_cast<float>(std::clamp(penalty, -kLargest, kLargest));
    }
}

void bias_tokens(std::span<float> scores, std::span<const std::pair<Token, float>> biases) {
    for (const auto& [id, bias] : biases) at(scores, id) += bias;
}

}  // namespace neox
