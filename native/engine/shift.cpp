// Overflow::shift: a call whose sequence has outgrown its context goes on without its oldest rows. The keys of the others
// are turned to their new positions, which is far cheaper than computing them again and not the same: they have seen what
// was dropped.
#include <algorithm>

#include "engine/admission.h"
#include "engine/engine.h"

namespace neox {

// On the engine's thread, before rows are chosen: from here on no row lies beyond its call's limit.
void Engine::shift_full(Lock& lock) {
    for (std::size_t i = 0; i < running_.size();
         ++i) {  // by index: the list may move while the mutex is free
        const std::shared_ptr<Call> call = running_[i];
        if (call->request.overflow != Overflow::shift || !is_runnable(*call)) continue;
        if (call->request.sequence->length() <= call->limit) continue;
        try {
            shift(*call, lock);
        } catch (const Error& error) {
            if (!lock.owns_lock()) lock.lock();
            fail_call(*call, error);
        }
    }
}

void Engine::shift(Call& call, Lock& lock) {
    Sequence& sequence = *call.request.sequence;
    const std::int64_t keep = kept_by_shift(call);
    // What must go, and at least half of what may, so that the next shift is far away. One row stays in any case.
    const std::int64_t least = (sequence.length() - call.limit + kKvBlock - 1) / kKvBlock;
    const std::int64_t half = (call.limit - keep) / kKvBlock / 2;
    const std::int64_t most = (sequence.length() - 1 - keep) / kKvBlock;
    const std::int64_t n = std::min(std::max(least, half), most) * kKvBlock;
    const std::int64_t n_cached = sequence.n_cached;
    // From here on the rows are those that stay. Until their keys are turned, those behind the kept ones are not cached.
    sequence.drop(keep, n, call.n_generated > 0 ? sequence.length() : call.begin);
    sequence.n_cached = std::min(n_cached, keep);
    call.n_shifted += n;
    call.prompt_end -= n;
    if (call.n_generated > 0) call.speculation.reset();  // what it knows of the tokens is by their positions
    if (call.begin > keep) call.begin = std::max(keep, call.begin - n);
    if (n_cached > keep + n) {  // else no cached row stays behind those that go
        make_room(sequence, keep + n, n_cached);
        bool is_turned = false;
        lock.unlock();  // the blocks of a running sequence are this thread's
        try {
            sequence.table.shift(backend_, keep, n);
            is_turned = true;
        } catch (const Error& error) {
            // Where a position has no one rotation, the rows behind are computed again.
            if (error.code() != ErrorCode::unsupported) throw;
        }
        lock.lock();
        if (is_turned) sequence.n_cached = n_cached - n;
    }
    sequence.table.truncate(sequence.n_cached);
}

}  // namespace neox
