#include "engine/draw.h"

#include <new>
#include <utility>

namespace neox {

namespace {

bool wants_logprobs(const Call& call) { return call.request.n_logprobs >= 0; }

void set_token(Call& call, Token id) {
    call.pending.id = id;
    call.draw = Call::Draw::token;
    if (!wants_logprobs(call)) return;
    // One number for one token, wherever it is read.
    for (const TokenLogprob& top : call.pending.top) {
        if (top.id != id) continue;
        call.pending.logprob = top.logprob;
        return;
    }
    // log p = logit - log-sum-exp, and the most likely token tells the latter.
    const float log_sum_exp = call.raw_scores[static_cast<std::size_t>(call.top_ids[0])] - call.top_logprobs[0];
    call.pending.logprob = call.raw_scores[static_cast<std::size_t>(id)] - log_sum_exp;
}

// Runs one part of the sampling; whatever it throws ends this call and no other.
template <class F>
void sample(Call& call, F&& part) noexcept {
    try {
        part();
        return;
    } catch (const Error& error) {
        call.draw_error = error;
    } catch (const std::bad_alloc&) {
        call.draw_error = Error(ErrorCode::out_of_memory, "Out of memory.");
    } catch (...) {
        call.draw_error = Error(ErrorCode::internal, "Sampling fails");
    }
    call.draw = Call::Draw::failed;
}

}  // namespace

void draw_token(Call& call, std::int64_t position) noexcept {
    sample(call, [&] {
        call.pending = {};
        for (std::int32_t i = 0; i < call.request.n_logprobs; ++i)
            call.pending.top.push_back({call.top_ids[static_cast<std::size_t>(i)], call.top_logprobs[static_cast<std::size_t>(i)]});
        if (call.sampler->is_plain_greedy() && !call.request.external_scores && !wants_logprobs(call)) {
            set_token(call, call.argmax);
            return;
        }
        if (wants_logprobs(call)) call.raw_scores = call.scores;
        call.sampler->process_logits(call.scores, call.processor_ids, call.processor_prompt);
        if (call.request.external_scores)
            call.draw = Call::Draw::awaits_scores;
        else
            draw_from_scores(call, position);
    });
}

void draw_from_scores(Call& call, std::int64_t position) noexcept {
    sample(call, [&] {
        call.sampler->warp(call.scores);
        set_token(call, call.sampler->choose(call.scores, call.request.choice, static_cast<std::uint64_t>(position)));
    });
}

}  // namespace neox
