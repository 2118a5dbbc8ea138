#include "engine/beams.h"

#include <algorithm>
#include <utility>

#include "engine/warpers.h"

namespace neox {

namespace {

// What the processors see of a beam: as in transformers, the new ids only where the prompt has embeddings.
std::span<const Token> processor_ids(const Call& call, std::size_t beam) {
    const Beams& beams = *call.beams;
    if (!beams.is_stepping()) return call.processor_ids;
    const Sequence& sequence = beams.sequences[beam];
    return sequence.tokens().subspan(sequence.has_embeddings() ? static_cast<std::size_t>(call.prompt_end)
                                                               : 0);
}

SampledToken sampled_token(Beams& beams, std::size_t n_top, std::size_t beam, Token id) {
    SampledToken token{id};
    if (beams.n_top == 0) return token;
    token.logprob = beams.raw_scores[beam * beams.n_vocab + static_cast<std::size_t>(id)];
    for (std::size_t i = 0; i < n_top; ++i) {
        token.top.push_back({beams.top_ids_of(beam)[i], beams.top_logprobs_of(beam)[i]});
        // One number for one token, wherever it is read.
        if (token.top.back().id == id) token.logprob = token.top.back().logprob;
    }
    return token;
}

}  // namespace

Beams::Beams(const CallRequest& request, std::int32_t n_ids)
    : search(request.beams, request.sampler, request.max_new_tokens),
      n_vocab(static_cast<std::size_t>(n_ids)),
      n_top(request.n_logprobs < 0 ? 0 : static_cast<std::size_t>(std::max(request.n_logprobs, 1))) {
    const auto n = static_cast<std::size_t>(request.beams.n_beams);
    scores.resize(n * n_vocab);
    raw_scores.resize(n_top > 0 ? scores.size() : 0);
    top_ids.resize(n * n_top);
    top_logprobs.resize(n * n_top);
}

std::int64_t beam_blocks(std::int64_t n_prompt, std::int64_t n_new, std::int32_t n_beams) {
    const std::int64_t n_shared = n_prompt / kKvBlock;
    const std::int64_t n_whole = (n_prompt + n_new + kKvBlock - 1) / kKvBlock;
    return n_shared + n_beams * (n_whole - n_shared) + (n_prompt % kKvBlock == 0 ? 0 : 1);
}

void advance_beams(Call& call, bool is_time_up) {
    Beams& beams = *call.beams;
    const bool is_first = !beams.is_stepping();
    const auto n_beams = static_cast<std::size_t>(call.request.beams.n_beams);
    for (std::size_t i = 0; i < (is_first ? 1 : n_beams); ++i) {
        const std::span<float> row(beams.scores_of(i), beams.n_vocab);
        normalize_logits(row);
        if (beams.n_top > 0)
            std::copy(row.begin(), row.end(),
                      beams.raw_scores.begin() + static_cast<std::ptrdiff_t>(i * beams.n_vocab));
        call.sampler->process_logits(row, processor_ids(call, i), call.processor_prompt);
        call.sampler->warp(row, beams.search.min_tokens_to_keep());
    }
    std::vector<std::span<const float>> rows;
    for (std::size_t i = 0; i < n_beams; ++i)
        rows.emplace_back(beams.scores_of(is_first ? 0 : i), beams.n_vocab);
    const std::int64_t position = is_first ? call.prompt_end : beams.sequences.front().length();
    const std::int64_t key = call.request.sequence->draw_position(position);
    beams.search.advance(rows, static_cast<std::uint64_t>(key), is_time_up);
    const auto nodes = beams.search.nodes();
    const auto n_top = static_cast<std::size_t>(std::max(call.request.n_logprobs, 0));
    for (std::size_t i = beams.tokens.size(); i < nodes.size(); ++i) {
        const std::size_t beam = is_first ? 0 : static_cast<std::size_t>(nodes[i].beam);
        beams.tokens.push_back(sampled_token(beams, n_top, beam, nodes[i].token));
    }
}

void step_beams(Call& call) {
    Beams& beams = *call.beams;
    const auto nodes = beams.search.nodes();
    const auto node_of = [&](const BeamSearch::Beam& beam) {
        return nodes[static_cast<std::size_t>(beam.node)];
    };
    const bool is_first = !beams.is_stepping();
    std::vector<std::int32_t> n_left(beams.sequences.size(), 0);  // how often each is still to be continued
    if (!is_first)
        for (const BeamSearch::Beam& beam : beams.search.beams())
            ++n_left[static_cast<std::size_t>(node_of(beam).beam)];
    std::vector<Sequence> next;
    next.reserve(beams.search.beams().size());
    for (const BeamSearch::Beam& beam : beams.search.beams()) {
        const std::size_t i = static_cast<std::size_t>(node_of(beam).beam);
        Sequence& from = is_first ? *call.request.sequence : beams.sequences[i];
        // A beam is taken over by the last that continues it: its rows, embeddings among them, are not copied at every step.
        if (!is_first && --n_left[i] == 0)
            next.push_back(std::move(from));
        else
            next.push_back(from.fork(from.length()));
        next.back().append_sampled(node_of(beam).token);
    }
    beams.sequences = std::move(next);  // those that nothing continues give their blocks back
}

std::vector<BeamOutput> best_beams(const Call& call) {
    const Beams& beams = *call.beams;
    std::vector<BeamOutput> outputs;
    for (std::int32_t i = 0; i < call.request.beams.n_return; ++i) {
        const BeamSearch::Finished& finished = beams.search.finished()[static_cast<std::size_t>(i)];
        BeamOutput output;
        output.score = finished.score;
        for (const std::int32_t node : beams.search.path(finished.node))
            output.tokens.push_back(beams.tokens[static_cast<std::size_t>(node)]);
        const bool is_short = finished.is_finished && std::ssize(output.tokens) < call.request.max_new_tokens;
        output.finish = is_short ? FinishReason::time : FinishReason::length;
        if (!output.tokens.empty() && is_eos(call, output.tokens.back().id))
            output.finish = FinishReason::eos;
        outputs.push_back(std::move(output));
    }
    return outputs;
}

}  // namespace neox
