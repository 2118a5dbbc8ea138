#include "engine/warpers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/exact_math.h"

namespace neox {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

float& at(std::span<float> scores, Token id) { return scores[static_cast<std::size_t>(id)]; }

// The ids that are still possible, by id.
void collect_possible(std::span<const float> scores, std::vector<Token>& order) {
    order.clear();
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (scores[i] > kMinusInfinity) order.push_back(static_cast<Token>(i));
    }
}

// The k-th largest score, -inf when fewer are possible. A heap of k while k is small beside the vocabulary:
// most scores lose against its top at once.
float kth_largest(std::span<const float> scores, std::size_t k, std::vector<float>& values) {
    values.clear();
    const bool heap = k <= 512;
    for (const float score : scores) {
        if (!(score > kMinusInfinity)) continue;
        if (!heap || values.size() < k) {
            values.push_back(score);
            if (heap) std::push_heap(values.begin(), values.end(), std::greater<>());
        } else if (score > values.front()) {
            std::pop_heap(values.begin(), values.end(), std::greater<>());
            values.back() = score;
            std::push_heap(values.begin(), values.end(), std::greater<>());
        }
    }
    if (values.size() < k) return kMinusInfinity;
    if (heap) return values.front();
    const auto kth = values.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(values.begin(), kth, values.end(), std::greater<>());
    return *kth;
}

float probability(float score, const LogSum& sum) { return static_cast<float>(sum.share(score)); }

// Removes what is less likely than the threshold and below the `keep` best scores.
void remove_unlikely(std::span<float> scores, float threshold, const LogSum& log_sum, std::size_t keep,
                     SamplerScratch& scratch) {
    const float kept = kth_largest(scores, keep, scratch.values);
    for (float& score : scores) {
        if (score < kept && probability(score, log_sum) < threshold) score = kMinusInfinity;
    }
}

}  // namespace

void apply_temperature(std::span<float> scores, float temperature) {
    for (float& score : scores) score /= temperature;
}

void keep_top_k(std::span<float> scores, std::size_t k, SamplerScratch& scratch) {
    const float kth = kth_largest(scores, std::min(k, scores.size()), scratch.values);
    for (float& score : scores) {
        if (score < kth) score = kMinusInfinity;
    }
}

void keep_top_p(std::span<float> scores, double top_p, std::size_t keep, SamplerScratch& scratch) {
    std::vector<Token>& order = scratch.order;
    collect_possible(scores, order);
    if (order.size() <= keep) return;
    const LogSum log_sum = log_sum_exp(scores);
    if (std::isnan(log_sum.largest)) return;
    const auto less = [&](Token a, Token b) {
        return at(scores, a) < at(scores, b) || (at(scores, a) == at(scores, b) && a < b);
    };
    // Probabilities as integers: their sums do not depend on the order, which a selection leaves open.
    const auto weight = [&](Token id) {
        return static_cast<long long>(static_cast<double>(probability(at(scores, id), log_sum)) * 0x1p53);
    };
    const float limit = static_cast<float>(1.0 - top_p);
    const auto removable = [&](long long sum) {
        return static_cast<float>(static_cast<double>(sum) * 0x1p-53) <= limit;
    };

    // Halves the range that holds the border, while it is long: its lower half goes as a whole or holds the
    // border itself.
    long long sum = 0;
    auto begin = order.begin();
    auto end = order.end() - static_cast<std::ptrdiff_t>(keep);
    std::nth_element(begin, end, order.end(), less);
    while (end - begin > 64) {
        const auto middle = begin + (end - begin) / 2;
        std::nth_element(begin, middle, end, less);
        long long half = 0;
        for (auto i = begin; i < middle; ++i) half += weight(*i);
        if (removable(sum + half)) {
            sum += half;
            for (auto i = begin; i < middle; ++i) at(scores, *i) = kMinusInfinity;
            begin = middle;
        } else {
            end = middle;
        }
    }
    std::sort(begin, end, less);
    for (auto i = begin; i < end; ++i) {
        sum += weight(*i);
        if (!removable(sum)) break;
        at(scores, *i) = kMinusInfinity;
    }
}

void keep_min_p(std::span<float> scores, double min_p, std::size_t keep, SamplerScratch& scratch) {
    const LogSum log_sum = log_sum_exp(scores);
    const float best = probability(kth_largest(scores, 1, scratch.values), log_sum);
    const float threshold = static_cast<float>(min_p) * best;
    // Unlike the other cutoffs, this one keeps `keep` and no more: of equal scores the first.
    const float kept = kth_largest(scores, keep, scratch.values);
    auto ties = static_cast<std::ptrdiff_t>(keep) -
                std::ranges::count_if(scores, [&](float score) { return score > kept; });
    for (float& score : scores) {
        if (score > kept || (score == kept && ties-- > 0)) continue;
        if (probability(score, log_sum) < threshold) score = kMinusInfinity;
    }
}

void keep_typical(std::span<float> scores, double typical_p, std::size_t keep, SamplerScratch& scratch) {
    std::vector<Token>& order = scratch.order;
    collect_possible(scores, order);
    if (order.empty()) return;
    const LogSum log_sum = log_sum_exp(scores);
    // In f64: f32 would make ties of distances that differ, and part equal ones.
    double entropy = 0.0;
    for (const Token id : order) entropy -= log_sum.log_share(at(scores, id)) * log_sum.share(at(scores, id));
    std::vector<double>& distances = scratch.sums;
    distances.resize(scores.size());
    const auto distance = [&](Token id) -> double& { return distances[static_cast<std::size_t>(id)]; };
    for (const Token id : order) distance(id) = std::fabs(-log_sum.log_share(at(scores, id)) - entropy);
    std::sort(order.begin(), order.end(), [&](Token a, Token b) {
        return distance(a) < distance(b) || (distance(a) == distance(b) && a < b);
    });
    // The first at which the mass is reached is the last to stay, and so are those as near as it.
    const float mass = static_cast<float>(typical_p);
    std::size_t last = 0;
    double sum = 0.0;
    for (; last + 1 < order.size(); ++last) {
        sum += probability(at(scores, order[last]), log_sum);
        if (!(static_cast<float>(sum) < mass)) break;
    }
    const double farthest = distance(order[last]);
    for (std::size_t i = keep; i < order.size(); ++i) {
        if (distance(order[i]) > farthest) at(scores, order[i]) = kMinusInfinity;
    }
}

void keep_above_epsilon(std::span<float> scores, double epsilon, std::size_t keep, SamplerScratch& scratch) {
    remove_unlikely(scores, static_cast<float>(epsilon), log_sum_exp(scores), keep, scratch);
}

void keep_above_eta(std::span<float> scores, double epsilon, std::size_t keep, SamplerScratch& scratch) {
    const LogSum log_sum = log_sum_exp(scores);
    double entropy = 0.0;
    for (const float score : scores) {
        if (score > kMinusInfinity) entropy -= log_sum.log_share(score) * log_sum.share(score);
    }
    const float limit = static_cast<float>(epsilon);
    const float eta = std::min(limit, std::sqrt(limit) * static_cast<float>(exact_exp(-entropy)));
    remove_unlikely(scores, eta, log_sum, keep, scratch);
}

void normalize_logits(std::span<float> scores) {
    const LogSum log_sum = log_sum_exp(scores);
    for (float& score : scores) score = static_cast<float>(log_sum.log_share(score));
}

}  // namespace neox
