// The engine's thread: admit, build the batch, forward, sample, push, wake. The mutex is held unless said otherwise.
#include <algorithm>
#include <utility>

#include "engine/admission.h"
#include "engine/engine.h"

namespace neox {

namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double, std::milli>(b - a).count();
}

bool is_cancelled(Call& call) {
    return std::atomic_ref<std::int32_t>(call.cancel_flag).load(std::memory_order_relaxed) != 0;
}

}  // namespace

void Engine::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        handle_cancels();
        admit();
        choose_parts(running_, options_.max_rows, plan_);
        if (!plan_.parts.empty()) step(lock);
        std::erase_if(running_, [](const auto& call) { return call->state == CallState::done; });
        // Wakers belong to other threads' environments: never call them with the mutex held.
        std::vector<std::shared_ptr<Waker>> wakers = std::exchange(to_wake_, {});
        if (!wakers.empty()) {
            lock.unlock();
            for (const auto& waker : wakers) waker->wake();
            lock.lock();
        } else if (plan_.parts.empty() && !stopping_) {
            // Every change that makes work notifies under the mutex, so nothing is missed.
            const double ms = ms_to_deadline();
            if (ms < 0.0)
                work_.wait(lock);
            else
                work_.wait_for(lock, std::chrono::duration<double, std::milli>(ms));
        }
    }
    const Error disposed(ErrorCode::disposed, "The model was disposed.");
    for (auto* calls : {&waiting_, &running_}) {
        for (const auto& call : *calls) fail_call(*call, disposed);
        calls->clear();
    }
    std::vector<std::shared_ptr<Waker>> wakers = std::exchange(to_wake_, {});
    lock.unlock();
    for (const auto& waker : wakers) waker->wake();
}

// Until the first max_time_ms of a paused or waiting call runs out; negative when none has one.
double Engine::ms_to_deadline() const {
    double nearest = -1.0;
    for (const auto* calls : {&waiting_, &running_}) {
        for (const auto& call : *calls) {
            if (call->request.max_time_ms <= 0.0) continue;
            const double left = std::max(0.0, call->request.max_time_ms - ms_between(call->submitted, Clock::now()));
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
        } else if (call.request.max_time_ms > 0.0 && ms_between(call.submitted, now) >= call.request.max_time_ms) {
            finish(call, FinishReason::time);
        }
    };
    for (const auto& call : waiting_) end(*call);
    for (const auto& call : running_) end(*call);
    std::erase_if(waiting_, [](const auto& call) { return call->state == CallState::done; });
    std::erase_if(running_, [](const auto& call) { return call->state == CallState::done; });
}

// First come, first served: a call that does not fit yet holds back those behind it, so that none starves.
void Engine::admit() {
    std::int64_t promised = 0;
    for (const auto& call : running_) promised += call->promised_blocks;
    std::size_t n = 0;
    for (; n < waiting_.size(); ++n) {
        Call& call = *waiting_[n];
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

// What is promised to running calls always fits beside each other; blocks of idle sequences go, least recently used first.
void Engine::make_room(Sequence& sequence, std::int64_t begin, std::int64_t end) {
    while (sequence.table.needed(begin, end) > pool_->n_free()) {
        std::shared_ptr<Sequence> oldest;
        for (const auto& weak : sequences_) {
            std::shared_ptr<Sequence> other = weak.lock();
            if (!other || other->running || other->table.blocks().empty()) continue;
            if (!oldest || other->last_used < oldest->last_used) oldest = std::move(other);
        }
        if (!oldest) fail(ErrorCode::kv_full, "No KV block can be freed for ", end, " positions.");
        oldest->evict();
    }
}

void Engine::step(std::unique_lock<std::mutex>& lock) {
    try {
        for (const Plan::Part& part : plan_.parts) {
            Sequence& sequence = *part.call->request.sequence;
            make_room(sequence, part.begin, part.end);
            sequence.table.reserve(backend_, part.begin, part.end);
        }
        build_rows(config_, plan_);
        const Batch batch{plan_.rows.data(), static_cast<std::int32_t>(plan_.rows.size()), plan_.sequences.data(),
                          static_cast<std::int32_t>(plan_.sequences.size())};
        lock.unlock();
        const Status status = backend_.forward(backend_.self, &batch, 0, config_.n_layer, nullptr);
        lock.lock();
        check(status);
        absorb(plan_);
    } catch (const std::exception& e) {
        if (!lock.owns_lock()) lock.lock();
        const auto* known = dynamic_cast<const Error*>(&e);
        const Error error = known ? *known : Error(ErrorCode::internal, e.what());
        for (const Plan::Part& part : plan_.parts)
            if (part.call->state != CallState::done) fail_call(*part.call, error);
    }
}

void Engine::absorb(const Plan& plan) {
    for (const Plan::Part& part : plan.parts) {
        Call& call = *part.call;
        // Rows of a cancelled call may have been dropped on the way: none of them counts.
        if (is_cancelled(call)) continue;
        call.request.sequence->n_cached = part.end;
        if (!part.is_last) continue;
        if (call.row_status != 0) {
            fail_call(call, Error(ErrorCode::nan_logits, text("The logits at position ", part.end - 1, " hold a NaN.")));
        } else if (call.request.max_new_tokens == 0) {
            call.timings.prefill_ms = ms_between(call.admitted, Clock::now());
            finish(call, FinishReason::length);
        } else {
            try {
                sample(call);
            } catch (const Error& error) {
                fail_call(call, error);
            }
        }
    }
}

void Engine::sample(Call& call) {
    const std::uint64_t position = static_cast<std::uint64_t>(call.request.sequence->length());
    call.pending = {};
    if (call.request.n_logprobs >= 0)
        for (std::int32_t i = 0; i < call.request.n_logprobs; ++i)
            call.pending.top.push_back({call.top_ids[static_cast<std::size_t>(i)], call.top_logprobs[static_cast<std::size_t>(i)]});
    if (call.sampler->is_plain_greedy() && !call.request.external_scores && call.request.n_logprobs < 0) {
        push(call, call.argmax);
        return;
    }
    if (call.request.n_logprobs >= 0) call.raw_scores = call.scores;
    call.sampler->process_logits(call.scores, call.processor_ids, call.processor_prompt);
    if (call.request.external_scores) {
        call.state = CallState::awaiting_scores;
        if (call.request.waker) to_wake_.push_back(call.request.waker);
        return;
    }
    call.sampler->warp(call.scores);
    push(call, call.sampler->choose(call.scores, call.request.choice, position));
}

void Engine::push(Call& call, Token id) {
    const Clock::time_point now = Clock::now();
    SampledToken token = std::exchange(call.pending, {});
    token.id = id;
    if (call.request.n_logprobs >= 0) {
        // log p = logit - log-sum-exp, and the most likely token tells the latter.
        const float log_sum_exp = call.raw_scores[static_cast<std::size_t>(call.top_ids[0])] - call.top_logprobs[0];
        token.logprob = call.raw_scores[static_cast<std::size_t>(id)] - log_sum_exp;
    }
    call.request.sequence->append_sampled(id);
    call.processor_ids.push_back(id);
    call.ring.push_back(std::move(token));
    if (call.n_generated++ == 0) {
        call.first_token = now;
        call.timings.prefill_ms = ms_between(call.admitted, now);
    }
    call.timings.decode_ms = ms_between(call.first_token, now);
    const std::vector<Token>& eos = call.sampler->config().eos_token_id;
    if (std::find(eos.begin(), eos.end(), id) != eos.end())
        finish(call, FinishReason::eos);
    else if (call.n_generated >= call.request.max_new_tokens)
        finish(call, FinishReason::length);
    else if (call.request.waker)
        to_wake_.push_back(call.request.waker);
}

void Engine::finish(Call& call, FinishReason reason) {
    call.finish = reason;
    const bool has_prompt = call.n_generated > 0 || (call.state != CallState::waiting && call.request.max_new_tokens == 0 &&
                                                     reason == FinishReason::length);
    if (!has_prompt)
        settle(call, call.begin);
    else if (call.keep_tokens >= 0)
        settle(call, call.prompt_end + std::min(call.keep_tokens, call.n_generated));
    else
        settle(call, call.request.sequence->length());
}

void Engine::fail_call(Call& call, const Error& error) {
    call.error = error;
    settle(call, call.begin);
}

void Engine::settle(Call& call, std::int64_t n_positions) {
    Sequence& sequence = *call.request.sequence;
    if (call.state != CallState::waiting) sequence.truncate(n_positions);
    sequence.last_used = ++tick_;
    sequence.busy = sequence.running = false;
    call.state = CallState::done;
    if (call.request.waker) to_wake_.push_back(call.request.waker);
    finished_.notify_all();
}

}  // namespace neox
