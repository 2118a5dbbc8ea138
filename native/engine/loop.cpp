// The engine's thread: admit, build the batch, forward, sample, push, wake. The mutex is held unless said otherwise.
#include <algorithm>
#include <optional>
#include <utility>

#include "engine/admission.h"
#include "engine/beams.h"
#include "engine/draw.h"
#include "engine/engine.h"
#include "engine/nan_search.h"

namespace neox {

namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double, std::milli>(b - a).count();
}

bool is_time_up(const Call& call, Clock::time_point now) {
    return call.request.max_time_ms > 0.0 && ms_between(call.submitted, now) >= call.request.max_time_ms;
}

bool is_cancelled(const Call& call) { return call.cancel_flag.load(std::memory_order_relaxed) != 0; }

// The first position of a part, of those that count, whose outputs hold a NaN.
std::optional<std::int64_t> nan_position(const Plan& plan, const Plan::Part& part) {
    const auto first = plan.statuses.begin() + static_cast<std::ptrdiff_t>(part.first_row);
    const auto end = first + part.n_counted;
    const auto nan = std::find(first, end, RowStatus::nan);
    if (nan == end) return std::nullopt;
    return part.begin + (nan - first);
}

}  // namespace

// What grows with a call (its tokens, ring and outputs) is reserved when it is submitted. Should one of the remaining
// allocations fail, the calls end with an error and the thread, and so the process, lives.
void Engine::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        try {
            handle_cancels();
            admit();
            shift_full(lock);
            choose_parts(running_, options_.max_rows, costs_, plan_);
            if (!plan_.parts.empty()) step(lock);
            do_errand(lock);
        } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            fail_all(Error(ErrorCode::out_of_memory, "Out of memory."));
        }
        if (!wake_callers(lock) && plan_.parts.empty() && errands_.empty() && !stopping_) {
            // Every change that makes work notifies under the mutex, so nothing is missed.
            const double ms = ms_to_deadline();
            constexpr double kHour = 3.6e6;  // a longer wait would only risk an overflow of the clock
            if (ms < 0.0)
                work_.wait(lock);
            else
                work_.wait_for(lock, std::chrono::duration<double, std::milli>(std::min(ms, kHour)));
        }
    }
    fail_all(Error(ErrorCode::disposed, "The model was disposed."));
    fail_errands();
    while (wake_callers(lock)) {
    }
}

// Wakers belong to other threads' environments, so they are called without the mutex, from a list that this thread alone
// touches and that never grows: what finds no place in it is woken in the next round. Calls that are done leave the lists.
bool Engine::wake_callers(std::unique_lock<std::mutex>& lock) {
    waking_.clear();
    for (auto* calls : {&waiting_, &running_}) {
        for (const auto& call : *calls) {
            if (!call->has_news) continue;
            const std::shared_ptr<Waker>& waker = call->request.waker;
            if (waker && std::find(waking_.begin(), waking_.end(), waker) == waking_.end()) {
                if (waking_.size() == kMostWakers) continue;
                waking_.push_back(waker);
            }
            call->has_news = false;
        }
        std::erase_if(*calls,
                      [](const auto& call) { return call->state == CallState::done && !call->has_news; });
    }
    if (waking_.empty()) return false;
    lock.unlock();
    for (const auto& waker : waking_) waker->wake();
    lock.lock();
    return true;
}

void Engine::fail_all(const Error& error) {
    for (const auto* calls : {&waiting_, &running_})
        for (const auto& call : *calls)
            if (call->state != CallState::done) fail_call(*call, error);
}

// Until the first max_time_ms of a paused or waiting call runs out; negative when none has one.
double Engine::ms_to_deadline() const {
    double nearest = -1.0;
    for (const auto* calls : {&waiting_, &running_}) {
        for (const auto& call : *calls) {
            if (call->request.max_time_ms <= 0.0) continue;
            const double left =
                std::max(0.0, call->request.max_time_ms - ms_between(call->submitted, Clock::now()));
            if (nearest < 0.0 || left < nearest) nearest = left;
        }
    }
    return nearest;
}

void Engine::handle_cancels() {
    const Clock::time_point now = Clock::now();
    const auto end = [&](Call& call) {
        if (call.state == CallState::done) return;
        if (is_cancelled(call)) {
            finish(call, call.finish == FinishReason::none ? FinishReason::cancelled : call.finish);
        } else if (is_time_up(call, now) &&
                   !(call.beams && call.beams->is_stepping())) {  // beams end with their next step
            finish(call, FinishReason::time);
        }
    };
    for (const auto& call : waiting_) end(*call);
    for (const auto& call : running_) end(*call);
}

// First come, first served: a call that does not fit yet holds back those behind it, so that none starves.
void Engine::admit() {
    std::int64_t promised = 0;
    for (const auto& call : running_)
        if (call->state != CallState::done) promised += call->promised_blocks;
    std::size_t n = 0;
    for (; n < waiting_.size(); ++n) {
        Call& call = *waiting_[n];
        if (call.state == CallState::done) {
            running_.push_back(waiting_[n]);  // leaves with the others, once its caller is woken
            continue;
        }
        if (promised + call.promised_blocks > pool_->capacity()) break;
        promised += call.promised_blocks;
        begin_call(call);
        call.state = CallState::running;
        call.admitted = Clock::now();
        call.timings.queue_ms = ms_between(call.submitted, call.admitted);
        call.request.sequence->running = true;
        running_.push_back(waiting_[n]);
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
}

// What is promised to running calls always fits beside each other. Idle sequences give their blocks, least recently used
// first; those whose blocks others share as well come last, since letting go of them frees nothing yet.
void Engine::make_room(Sequence& sequence, std::int64_t begin, std::int64_t end) {
    while (sequence.table.needed(begin, end) > pool_->n_free()) {
        std::shared_ptr<Sequence> best;
        bool best_frees = false;
        for (const auto& weak : sequences_) {
            std::shared_ptr<Sequence> other = weak.lock();
            if (!other || other->running || other->table.blocks().empty()) continue;
            const bool frees = other->table.owns_any();
            if (best && (frees != best_frees ? best_frees : best->last_used <= other->last_used)) continue;
            best = std::move(other);
            best_frees = frees;
        }
        if (!best) fail(ErrorCode::kv_full, "No KV block can be freed for ", end, " positions.");
        best->evict();
    }
}

void Engine::step(std::unique_lock<std::mutex>& lock) {
    try {
        for (const Plan::Part& part : plan_.parts) {
            make_room(*part.sequence, part.begin, part.end);
            // A shared block is copied, which takes milliseconds. This thread alone takes blocks, and those of a running
            // sequence are its own: what was free stays free while the mutex is.
            lock.unlock();
            part.sequence->table.reserve(backend_, part.begin, part.end);
            lock.lock();
        }
        build_rows(config_, plan_);
        const Batch batch{plan_.rows.data(), static_cast<std::int32_t>(plan_.rows.size()),
                          plan_.sequences.data(), static_cast<std::int32_t>(plan_.sequences.size())};
        lock.unlock();
        const Clock::time_point begin = Clock::now();
        const Status status = backend_.forward(backend_.self, &batch, 0, config_.n_layer, nullptr);
        if (status.code == 0) {
            if (plan_.n_decoding == plan_.parts.size())
                costs_.add(batch.n_rows, ms_between(begin, Clock::now()));
            draw();
        }
        lock.lock();
        check(status);
        absorb();
    } catch (const Error& error) {
        if (!lock.owns_lock()) lock.lock();
        for (const Plan::Part& part : plan_.parts)
            if (part.call->state != CallState::done) fail_call(*part.call, error);
    }
}

// Without the mutex: a call's scores, sampler and sequence belong to this thread while it runs.
void Engine::draw() {
    for (const Plan::Part& part : plan_.parts) part.call->draw = Call::Draw::none;
    for (Plan::Part& part : plan_.parts) {
        Call& call = *part.call;
        if (is_cancelled(call) || call.draw == Call::Draw::failed) continue;
        if (const std::optional<std::int64_t> nan = nan_position(plan_, part)) {
            const NanSearch search{backend_, config_, pool_, options_.max_rows};
            call.draw_error = nan_error(search, *part.sequence, *nan, &call.cancel_flag);
            call.draw = Call::Draw::failed;
        } else if (call.beams && part.is_due) {
            draw_beams(call, is_time_up(call, Clock::now()));
        } else {
            draw_tokens(plan_, part);
        }
    }
}

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
