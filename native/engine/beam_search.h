// Beam search for one prompt, as transformers 4.57.6 does it (GenerationMixin._beam_search): logic over scores alone, in the
// float32 arithmetic of the reference, which knows nothing of models and sequences.
//
// Each step scores what may follow each beam, keeps the best max(2, 1 + eos ids) * n_beams candidates of all, goes on with
// the best n_beams of those that are not finished, and of the first n_beams candidates takes the finished ones among the best
// finished sequences so far. Equal scores are ordered by beam, then by id (in the reference their order is left open).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace neox {

// When the search ends before the beams do: as soon as n_beams sequences are finished (on); when the best beam, if it ended
// now, would not be among them (off); when it could not be, however long it grew (never).
enum class EarlyStopping : std::int32_t { off = 0, on, never };

struct BeamOptions {
    std::int32_t n_beams = 1;   // 1: no search; at most kMostBeams
    std::int32_t n_return = 1;  // sequences wanted, at most n_beams
    double length_penalty =
        1.0;  // a finished sequence scores its sum of log-probabilities / length^length_penalty
    EarlyStopping early_stopping = EarlyStopping::off;
};

inline constexpr std::int32_t kMostBeams = 256;

// Throws ERR_NEOX_INVALID_ARGUMENT naming the option. `max_new_tokens` >= 1.
void check_beam_options(const BeamOptions& options, const SamplerConfig& sampler, std::int64_t max_new_tokens,
                        std::int32_t n_vocab);

// Not thread-safe.
class BeamSearch {
public:
    // A token of some path. Paths share their beginnings; nodes are only ever added.
    struct Node {
        std::int32_t before;  // the node of the token before it; -1: the prompt
        std::int32_t beam;    // the beam of the step before that it continues
        Token token;
    };
    struct Beam {
        std::int32_t node = -1;  // of its last token; -1: none yet
        float score = 0.0f;      // sum of its scores
    };
    struct Candidate {
        float score;
        std::int32_t beam;
        Token token;
        std::int32_t node;
    };
    struct Finished {
        std::int32_t node = -1;
        float score = -1e9f;  // after the length penalty
        bool is_finished = false;
    };

    // The options have been checked. Of `sampler`: do_sample, seed and eos_token_id.
    BeamSearch(const BeamOptions& options, const SamplerConfig& sampler, std::int64_t max_new_tokens);

    const BeamOptions& options() const { return options_; }
    // Tokens that a warper must leave, so that a beam can both end and go on.
    std::size_t min_tokens_to_keep() const;

    // One step. rows[i]: the processed log-probabilities [n_vocab] of what may follow beam i; before the first token all are
    // those of the prompt's last row. `position` keys the draws. `is_last`: the time is up, every candidate is finished.
    // Throws ERR_NEOX_NAN for a score that is not a number, or when none is above -inf.
    void advance(std::span<const std::span<const float>> rows, std::uint64_t position, bool is_last);
    bool is_done() const { return is_done_; }

    // [n_beams], best first.
    std::span<const Beam> beams() const { return beams_; }
    // The best finished sequences, [n_beams], best first. Those that are not finished are places still free.
    std::span<const Finished> finished() const { return finished_; }
    std::span<const Node> nodes() const { return nodes_; }
    // The nodes from the first token to `node`.
    std::vector<std::int32_t> path(std::int32_t node) const;

private:
    void keep_best(std::span<const std::span<const float>> rows, std::size_t n);
    void draw(std::span<const std::span<const float>> rows, std::uint64_t position);
    void continue_beams();
    void take_finished();
    bool can_improve() const;
    float length_norm(std::int64_t length) const;
    bool are_all_finished() const;

    const BeamOptions options_;
    const std::vector<Token> eos_;
    const bool do_sample_;
    const std::uint64_t seed_;
    const std::int64_t max_new_tokens_;
    const std::size_t n_candidates_;

    std::int64_t length_ = 0;  // tokens of each beam
    std::vector<Beam> beams_;
    std::vector<Finished> finished_;
    std::vector<Node> nodes_;
    bool may_improve_ = true;
    bool is_done_ = false;
    // Of one step.
    std::vector<Candidate> candidates_;  // in the order of the reference's
    std::vector<bool> has_ended_;        // [candidates]
    std::vector<std::size_t> order_;
    std::vector<Finished> merged_;
    std::vector<Candidate> pool_;  // what is drawn from, and ...
    std::vector<double> weights_;  // ... how likely
};

}  // namespace neox
