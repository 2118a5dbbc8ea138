// The beams of a call: sequences that share its prompt and step together, each with the scores of what may follow it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/beam_search.h"
#include "engine/call.h"

namespace neox {

// Working memory of a call that searches. Belongs to the engine's thread while the call runs.
struct Beams {
    Beams(const CallRequest& request, std::int32_t n_vocab);

    // The prompt has been fed: every beam has a sequence of its own.
    bool is_stepping() const { return !sequences.empty(); }
    // Of one beam; the prompt's last row takes the first's.
    float* scores_of(std::size_t beam) { return scores.data() + beam * n_vocab; }
    std::int32_t* top_ids_of(std::size_t beam) { return top_ids.data() + beam * n_top; }
    float* top_logprobs_of(std::size_t beam) { return top_logprobs.data() + beam * n_top; }

    BeamSearch search;
    const std::size_t n_vocab;
    const std::size_t n_top;          // 0: no log-probabilities are asked for
    std::vector<Sequence> sequences;  // [n_beams]; known to nobody else, so they are never evicted
    std::vector<float> scores;        // [n_beams, n_vocab]
    std::vector<float> raw_scores;    // the same before the processors, when log-probabilities are asked for
    std::vector<std::int32_t> top_ids;  // [n_beams, n_top]
    std::vector<float> top_logprobs;
    std::vector<SampledToken> tokens;  // of the search's nodes
};

// KV blocks of a prompt of n_prompt positions and n_beams outputs of n_new: what the prompt fills exists once, the rest for
// every beam, and the prompt's own last block beside it.
std::int64_t beam_blocks(std::int64_t n_prompt, std::int64_t n_new, std::int32_t n_beams);

// One step of the search, once the rows of all beams are computed: processors, candidates, what is finished. Throws what
// they throw. Needs no lock.
void advance_beams(Call& call, bool is_time_up);

// After it: the sequences go on as the beams now stand. Under the engine's mutex.
void step_beams(Call& call);

// The best of the finished, once the search is done. Those for which there is none are empty.
std::vector<BeamOutput> best_beams(const Call& call);

}  // namespace neox
