// What a long job takes from its caller and tells it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/error.h"

namespace neox {

struct JobControl {
    int n_threads = 0;  // 0: default_thread_count()
    // Called on the caller's thread with the bytes done and the bytes in all.
    std::function<void(std::uint64_t, std::uint64_t)> on_progress;
    const std::atomic<bool>* cancel = nullptr;  // set from any thread

    // Throws ERR_NEOX_CANCELLED once the caller has cancelled.
    void check() const {
        if (cancel && cancel->load(std::memory_order_relaxed))
            fail(ErrorCode::cancelled, "The job was cancelled.");
    }
};

}  // namespace neox
