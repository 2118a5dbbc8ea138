// What a pass has given goes to its calls, and calls that end leave their sequences where they shall stand. The mutex is held.
#include <algorithm>
#include <utility>

#include "engine/admission.h"
#include "engine/beams.h"
#include "engine/engine.h"

namespace neox {

void Engine::absorb() {
    for (const Plan::Part& part : plan_.parts) {
        // Rows of a cancelled call may have been dropped on the way: none of them counts. Nor do the others of a beam's that
        // has failed.
        if (!is_cancelled(*part.call) && part.call->state != CallState::done) absorb_part(part);
    }
}

void Engine::absorb_part(const Plan::Part& part) {
    Call& call = *part.call;
    if (nan_position(plan_, part)) {
        fail_call(call, *call.draw_error);
        return;
    }
    part.sequence->n_cached = part.begin + part.n_counted;
    if (call.speculation) {
        call.timings.n_drafted = call.speculation->n_drafted();
        call.timings.n_accepted = call.speculation->n_accepted();
    }
    for (SampledToken& token : call.drawn) push(call, std::move(token));
    if (!part.is_due || call.state == CallState::done) return;
    if (call.request.max_new_tokens == 0) {
        call.timings.prefill_ms = ms_between(call.admitted, Clock::now());
        finish(call, FinishReason::length);
        return;
    }
    if (call.draw == Call::Draw::failed) fail_call(call, *call.draw_error);
    if (call.draw == Call::Draw::beams) push_beams(call);
    if (call.draw != Call::Draw::awaits_scores) return;
    call.state = CallState::awaiting_scores;
    call.has_news = true;
}

// Takes a token that was drawn.
void Engine::push(Call& call, SampledToken token) {
    const Clock::time_point now = Clock::now();
    const Token id = token.id;
    call.request.sequence->append_sampled(id);
    call.ring.push_back(std::move(token));
    call.has_news = true;
    if (call.n_generated++ == 0) {
        call.first_token = now;
        call.timings.prefill_ms = ms_between(call.admitted, now);
    }
    call.timings.decode_ms = ms_between(call.first_token, now);
    if (is_eos(call, id))
        finish(call, FinishReason::eos);
    else if (call.n_generated >= call.request.max_new_tokens)
        finish(call, FinishReason::length);
}

// Takes the step that the beams have made. The sequence itself ends with the best of them; what it holds beside the prompt is
// computed again when it goes on.
void Engine::push_beams(Call& call) {
    const Clock::time_point now = Clock::now();
    if (!call.beams->is_stepping()) {
        call.first_token = now;
        call.timings.prefill_ms = ms_between(call.admitted, now);
    }
    call.timings.decode_ms = ms_between(call.first_token, now);
    if (!call.beams->search.is_done()) {
        step_beams(call);
        return;
    }
    call.outputs = best_beams(call);
    for (const SampledToken& token : call.outputs.front().tokens)
        call.request.sequence->append_sampled(token.id);
    call.n_generated = std::ssize(call.outputs.front().tokens);
    finish(call, call.outputs.front().finish);
}

// Where the sequence ends when a call does: after the tokens that are kept; a call that leaves none takes its prompt back,
// unless it ended by itself or by a stop string.
void Engine::finish(Call& call, FinishReason reason) {
    call.finish = reason;
    settle(call, end_position(call, reason));
}

std::int64_t Engine::end_position(const Call& call, FinishReason reason) const {
    const bool is_fed =
        call.n_generated > 0 || (call.request.max_new_tokens == 0 && reason == FinishReason::length);
    const std::int64_t kept =
        call.keep_tokens < 0 ? call.n_generated : std::min(call.keep_tokens, call.n_generated);
    if (!is_fed || (kept == 0 && reason == FinishReason::cancelled)) return call.begin;
    const std::int64_t end = call.prompt_end + kept;
    // In rows that a shift has kept, or in those that it has dropped.
    if (call.n_shifted > 0 && end < kept_by_shift(call))
        return std::min(kept_by_shift(call), end + call.n_shifted);
    return end;
}

void Engine::fail_call(Call& call, const Error& error) {
    call.error = error;
    settle(call, call.begin);
}

void Engine::settle(Call& call, std::int64_t n_positions) {
    Sequence& sequence = *call.request.sequence;
    if (call.state != CallState::waiting) sequence.truncate(n_positions);
    // A draft that did not come true may have had a block of its own.
    sequence.table.truncate(sequence.n_cached);
    sequence.last_used = ++tick_;
    sequence.busy = sequence.running = false;
    call.beams.reset();
    call.state = CallState::done;
    call.has_news = true;
    finished_.notify_all();
}

}  // namespace neox
