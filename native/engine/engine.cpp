#include "engine/engine.h"

#include <algorithm>
#include <utility>

#include "base/file_system.h"
#include "engine/admission.h"
#include "engine/draw.h"

namespace neox {

namespace {

void check_idle(const Sequence& sequence) {
    if (sequence.busy) fail(ErrorCode::busy, "A call is still running on this session.");
}

}  // namespace

Engine::Engine(const Config& config, Backend backend, const EngineOptions& options)
    : process_(process_id()), config_(config), backend_(backend), options_(options),
      pool_(std::make_shared<KvPool>(options.n_kv_blocks)) {
    waking_.reserve(kMostWakers);
    thread_ = Thread([this] { run(); });
}

bool Engine::is_of_another_process() const { return process_ != process_id(); }

void Engine::check_process() const {
    if (is_of_another_process())
        fail(ErrorCode::unsupported, "The model was loaded before fork(): load it in the new process.");
}

void Engine::stop() {
    if (is_of_another_process()) return;
    std::call_once(stop_once_, [this] {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            for (const auto* calls : {&waiting_, &running_})
                for (const auto& call : *calls) call->cancel_flag.store(1);
        }
        work_.notify_all();
        thread_.join();
        backend_.destroy(backend_.self);
    });
}

std::shared_ptr<Sequence> Engine::create_sequence(SequenceRows rows) {
    check_process();
    const std::lock_guard lock(mutex_);
    auto sequence = std::make_shared<Sequence>(pool_, config_.n_embd, std::move(rows));
    track(sequence);
    return sequence;
}

void Engine::track(const std::shared_ptr<Sequence>& sequence) {
    sequence->last_used = ++tick_;
    std::erase_if(sequences_, [](const auto& weak) { return weak.expired(); });
    sequences_.push_back(sequence);
}

void Engine::truncate(Sequence& sequence, std::int64_t n_positions) {
    const std::lock_guard lock(mutex_);
    check_idle(sequence);
    check_position(sequence, n_positions);
    sequence.truncate(n_positions);
}

std::shared_ptr<Sequence> Engine::fork(const Sequence& sequence, std::int64_t n_positions) {
    const std::lock_guard lock(mutex_);
    check_idle(sequence);
    check_position(sequence, n_positions);
    auto copy = std::make_shared<Sequence>(sequence.fork(n_positions));
    track(copy);
    return copy;
}

void Engine::evict(Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    check_idle(sequence);
    sequence.evict();
}

std::vector<Token> Engine::tokens(const Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    return {sequence.tokens().begin(), sequence.tokens().end()};
}

std::int64_t Engine::length(const Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    return sequence.length();
}

std::int64_t Engine::n_dropped(const Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    return sequence.rows().n_dropped;
}

std::shared_ptr<Call> Engine::submit(CallRequest request) {
    check_process();
    auto call = std::make_shared<Call>(std::move(request));
    prepare_call(*call, config_, options_.n_ctx);
    const std::lock_guard lock(mutex_);
    if (stopping_) fail(ErrorCode::disposed, "The model was disposed.");
    Sequence& sequence = *call->request.sequence;
    check_idle(sequence);
    place_call(*call, options_.n_ctx, pool_->capacity());
    const std::size_t n_calls = waiting_.size() + running_.size() + 1;
    for (auto* calls : {&waiting_, &running_}) calls->reserve(n_calls);
    call->submitted = std::chrono::steady_clock::now();
    sequence.busy = true;
    waiting_.push_back(call);
    work_.notify_one();
    return call;
}

void Engine::cancel(Call& call, FinishReason reason, std::int64_t keep_tokens) {
    const std::lock_guard lock(mutex_);
    if (call.state == CallState::done) {
        // The engine ran ahead of a consumer that has stopped reading: the session ends at the last token delivered.
        Sequence& sequence = *call.request.sequence;
        call.keep_tokens = keep_tokens;
        if (!call.error && !sequence.busy && sequence.length() == call.prompt_end + call.n_generated)
            sequence.truncate(end_position(call, reason));
        call.ring.clear();
        return;
    }
    call.keep_tokens = keep_tokens;
    call.finish = reason;
    call.cancel_flag.store(1);
    work_.notify_one();
}

Drained Engine::drain(Call& call) {
    const std::lock_guard lock(mutex_);
    Drained drained;
    const bool was_full = call.ring.size() >= call.request.ring_capacity;
    drained.tokens.assign(std::make_move_iterator(call.ring.begin()),
                          std::make_move_iterator(call.ring.end()));
    call.ring.clear();
    drained.n_reused = call.n_reused;
    drained.outputs = std::move(call.outputs);
    call.outputs.clear();
    drained.state = call.state;
    drained.finish = call.finish;
    drained.error = call.error;
    drained.timings = call.timings;
    if (was_full) work_.notify_one();
    return drained;
}

std::vector<float> Engine::scores(Call& call) {
    const std::lock_guard lock(mutex_);
    // A call may end, by its time limit for one, while its caller is about to ask.
    if (call.state != CallState::awaiting_scores && call.state != CallState::done)
        fail(ErrorCode::invalid_argument, "The call awaits no scores.");
    return call.scores;
}

void Engine::submit_scores(Call& call, std::span<const float> scores) {
    const std::lock_guard lock(mutex_);
    if (call.state == CallState::done || call.cancel_flag.load() != 0) return;  // it ended meanwhile
    if (call.state != CallState::awaiting_scores)
        fail(ErrorCode::invalid_argument, "The call awaits no scores.");
    if (scores.size() != call.scores.size())
        fail(ErrorCode::invalid_argument, "Expected ", call.scores.size(), " scores but received ",
             scores.size(), ".");
    call.scores.assign(scores.begin(), scores.end());
    call.state = CallState::running;
    draw_from_scores(call, call.request.sequence->draw_position(call.request.sequence->length()));
    if (call.draw == Call::Draw::token)
        push(call, std::move(call.pending));
    else
        fail_call(call, *call.draw_error);
    work_.notify_one();
}

void Engine::wait(Call& call) {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [&] { return call.state == CallState::done; });
}

void Engine::start_profile() {
    const std::lock_guard lock(mutex_);
    is_profiling_ = true;
    profile_ = {};
}

Profile Engine::end_profile() {
    const std::lock_guard lock(mutex_);
    is_profiling_ = false;
    return std::exchange(profile_, {});
}

std::int32_t Engine::free_blocks() { return pool_->n_free(); }

std::size_t Engine::kv_bytes() const {
    return static_cast<std::size_t>(pool_->n_touched()) * backend_.kv_block_bytes;
}

}  // namespace neox
