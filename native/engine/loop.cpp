// The engine's thread: admit, build the batch, forward, sample, absorb (absorb.cpp), wake. The mutex is held unless said
// otherwise.
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

bool is_time_up(const Call& call, Clock::time_point now) {
    return call.request.max_time_ms > 0.0 && ms_between(call.submitted, now) >= call.request.max_time_ms;
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
        PassProfile measured{1, plan_.rows.size()};
        const Batch batch{plan_.rows.data(),
                          static_cast<std::int32_t>(plan_.rows.size()),
                          plan_.sequences.data(),
                          static_cast<std::int32_t>(plan_.sequences.size()),
                          nullptr,
                          is_profiling_ ? &measured : nullptr};
        lock.unlock();
        const Clock::time_point begin = Clock::now();
        const Status status = backend_.forward(backend_.self, &batch, 0, config_.n_layer, nullptr);
        if (status.code == 0) {
            if (plan_.n_decoding == plan_.parts.size())
                costs_.add(batch.n_rows, ms_between(begin, Clock::now()));
            const Clock::time_point drawing = Clock::now();
            draw();
            measured.ops[static_cast<int>(Op::sampling)].ns +=
                static_cast<std::uint64_t>(1e6 * ms_between(drawing, Clock::now()));
        }
        lock.lock();
        check(status);
        if (batch.profile && is_profiling_)
            (plan_.n_decoding == plan_.parts.size() ? profile_.step : profile_.prompt).add(measured);
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

}  // namespace neox
