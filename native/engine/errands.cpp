// What the engine's thread does for threads that wait: copying KV blocks, since a backend has one caller at a time. One
// errand between two batches, so that calls go on.
#include <chrono>
#include <utility>

#include "engine/engine.h"

namespace neox {

namespace {

// How long a thread that waits may miss that it was cancelled.
constexpr std::chrono::milliseconds kGlance{20};

}  // namespace

void Engine::hold(Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    if (sequence.busy) fail(ErrorCode::busy, "A call is still running on this session.");
    sequence.busy = true;
}

void Engine::release(Sequence& sequence) {
    const std::lock_guard lock(mutex_);
    sequence.busy = false;
}

void Engine::run_errand(std::function<void(Lock& lock)> run, const std::atomic<bool>* cancel) {
    Errand errand{std::move(run), Errand::State::waiting, {}};
    Lock lock(mutex_);
    if (stopping_) fail(ErrorCode::disposed, "The model was disposed.");
    errands_.push_back(&errand);
    work_.notify_one();
    while (errand.state != Errand::State::done) {
        finished_.wait_for(lock, kGlance);
        if (errand.state != Errand::State::waiting || !cancel || !cancel->load(std::memory_order_relaxed))
            continue;
        std::erase(errands_, &errand);
        fail(ErrorCode::cancelled, "The job was cancelled.");
    }
    if (errand.error) throw *errand.error;
}

void Engine::do_errand(Lock& lock) {
    if (errands_.empty()) return;
    Errand& errand = *errands_.front();
    errands_.pop_front();
    errand.state = Errand::State::running;
    try {
        errand.run(lock);
    } catch (const Error& error) {
        errand.error = error;
    } catch (...) {
        errand.error = Error(ErrorCode::out_of_memory, "Out of memory.");
    }
    if (!lock.owns_lock()) lock.lock();
    errand.state = Errand::State::done;
    finished_.notify_all();
}

void Engine::fail_errands() {
    for (Errand* errand : errands_) {
        errand->error = Error(ErrorCode::disposed, "The model was disposed.");
        errand->state = Errand::State::done;
    }
    errands_.clear();
    finished_.notify_all();
}

// Blocks of a held sequence are taken by this thread alone, so they stay where they are while the mutex is free.
bool Engine::read_block(Sequence& sequence, std::int64_t index, std::byte* dst,
                        const std::atomic<bool>* cancel) {
    bool is_cached = false;
    run_errand(
        [&](Lock& lock) {
            is_cached = (index + 1) * kKvBlock <= sequence.n_cached;
            if (!is_cached) return;
            const std::int32_t block = sequence.table.blocks()[static_cast<std::size_t>(index)];
            lock.unlock();
            check(backend_.kv_read(backend_.self, block, dst));
            lock.lock();
        },
        cancel);
    return is_cached;
}

bool Engine::write_block(Sequence& sequence, std::int64_t index, const std::byte* src,
                         const std::atomic<bool>* cancel) {
    bool is_written = false;
    run_errand(
        [&](Lock& lock) {
            const std::int64_t begin = index * kKvBlock, end = begin + kKvBlock;
            if (sequence.n_cached != begin) return;
            sequence.running = true;  // it shall not make room with what it has
            try {
                make_room(sequence, begin, end);
                sequence.table.reserve(backend_, begin, end);
                sequence.running = false;
            } catch (const Error& error) {
                sequence.running = false;
                if (error.code() != ErrorCode::kv_full) throw;
                return;
            }
            const std::int32_t block = sequence.table.blocks().back();
            lock.unlock();
            check(backend_.kv_write(backend_.self, block, src));
            lock.lock();
            sequence.n_cached = end;
            is_written = true;
        },
        cancel);
    return is_written;
}

}  // namespace neox
