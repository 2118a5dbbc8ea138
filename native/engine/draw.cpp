#include "engine/draw.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/beams.h"

namespace neox {

namespace {

bool wants_logprobs(const Call& call) { return call.request.n_logprobs >= 0; }

void set_token(Call& call, Token id) {
    call.pending.id = id;
    call.processor_ids.push_back(id);
    call.draw = Call::Draw::token;
    if (!wants_logprobs(call)) return;
    // One number for one token, wherever it is read.
    for (const TokenLogprob& top : call.pending.top) {
        if (top.id != id) continue;
        call.pending.logprob = top.logprob;
        return;
    }
    // log p = logit - log-sum-exp, and the most likely token tells the latter.
    const float log_sum_exp =
        call.raw_scores[static_cast<std::size_t>(call.top_ids[0])] - call.top_logprobs[0];
    call.pending.logprob = call.raw_scores[static_cast<std::size_t>(id)] - log_sum_exp;
}

// Runs one part of the sampling; whatever it throws ends this call and no other.
template <class F> void sample(Call& call, F&& part) noexcept {
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

// From call.scores or call.argmax, at `position` of the sequence, into call.pending.
void draw_token(Call& call, std::int64_t position) noexcept {
    sample(call, [&] {
        call.pending = {};
        for (std::int32_t i = 0; i < call.request.n_logprobs; ++i)
            call.pending.top.push_back(
                {call.top_ids[static_cast<std::size_t>(i)], call.top_logprobs[static_cast<std::size_t>(i)]});
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

// From the row of the draft's token i.
void draw_draft_token(Call& call, std::size_t i, std::int64_t position) noexcept {
    const DraftOutputs& from = call.draft_outputs;
    call.argmax = from.argmax[i];
    if (from.scores.size() > 0)
        std::copy_n(from.scores.data() + i * call.scores.size(), call.scores.size(), call.scores.begin());
    const std::size_t n_top = call.top_ids.size();
    std::copy_n(from.top_ids.begin() + static_cast<std::ptrdiff_t>(i * n_top), n_top, call.top_ids.begin());
    std::copy_n(from.top_logprobs.begin() + static_cast<std::ptrdiff_t>(i * n_top), n_top,
                call.top_logprobs.begin());
    draw_token(call, position);
}

}  // namespace

void draw_tokens(const Plan& plan, Plan::Part& part) noexcept {
    Call& call = *part.call;
    call.drawn.clear();
    call.draw = Call::Draw::none;
    if (!part.is_due || call.request.max_new_tokens == 0 || is_cancelled(call)) return;
    if (plan.statuses[part.first_row + static_cast<std::size_t>(part.n_counted) - 1] != RowStatus::done)
        return;
    for (std::size_t i = 0;; ++i) {
        const std::int64_t position = part.sequence->draw_position(part.begin + part.n_counted);
        if (i == 0)
            draw_token(call, position);
        else
            draw_draft_token(call, i - 1, position);
        if (call.draw != Call::Draw::token) return;
        const Token id = call.pending.id;
        call.drawn.push_back(std::move(call.pending));
        if (!call.speculation || !call.speculation->accept(id) || is_eos(call, id)) return;
        // A row of a draft that holds a NaN does not count: its token is fed again, and has its own step to fail in.
        if (plan.statuses[part.first_row + static_cast<std::size_t>(part.n_counted)] != RowStatus::done)
            return;
        ++part.n_counted;
    }
}

void draw_beams(Call& call, bool is_time_up) noexcept {
    sample(call, [&] {
        advance_beams(call, is_time_up);
        call.draw = Call::Draw::beams;
    });
}

void draw_from_scores(Call& call, std::int64_t position) noexcept {
    sample(call, [&] {
        call.sampler->warp(call.scores);
        set_token(call, call.sampler->choose(call.scores, call.request.choice,
                                             static_cast<std::uint64_t>(position)));
    });
}

}  // namespace neox
