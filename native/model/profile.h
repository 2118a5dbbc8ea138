// Where the time of a pass goes, by operation. For benchmarks: a batch that brings a PassProfile is measured, others cost nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "base/thread_pool.h"

namespace neox {

// Weights that a product reads are those of `qkv`, `dense` (the attention's output), `fc1` and `fc2` (the feed-forward's) and
// `head`; `attention` includes the rotary embedding and the writing of keys and values; `quantize` is that of activations, with
// the norm that is done in one go with it before a prompt's q8 products, but not that of what fc1 leaves to fc2 in tiles, which is
// fc1's; `sampling` begins with the search for the largest logits.
enum class Op : std::int32_t { other, norm, quantize, qkv, attention, dense, fc1, fc2, head, sampling };
inline constexpr int kOps = 10;
inline constexpr const char* kOpNames[kOps] = {"other", "norm", "quantize", "qkv",  "attention",
                                               "dense", "fc1",  "fc2",      "head", "sampling"};

// Time of the thread that runs the passes, in nanoseconds.
struct OpTime {
    std::uint64_t ns = 0;
    std::uint64_t waited_ns = 0;  // of these: until other threads had finished their share
};

// A sum over passes.
struct PassProfile {
    std::uint64_t n_passes = 0;
    std::uint64_t n_rows = 0;
    OpTime ops[kOps] = {};

    void add(const PassProfile& other) {
        n_passes += other.n_passes;
        n_rows += other.n_rows;
        for (int i = 0; i < kOps; ++i) {
            ops[i].ns += other.ops[i].ns;
            ops[i].waited_ns += other.ops[i].waited_ns;
        }
    }
};

// Passes that have rows of prompts, and those of steps alone.
struct Profile {
    PassProfile prompt;
    PassProfile step;
};

// Gives all time between start() and stop() to the operation that is entered; one thread.
class Stopwatch {
public:
    // Starts now and stops at the end of its scope. `profile` may be null: then nothing is measured, at the cost of a
    // comparison for each operation.
    class Run {
    public:
        Run(Stopwatch& watch, PassProfile* profile, ThreadPool& pool) : watch_(watch), pool_(pool) {
            watch_.start(profile, pool_);
        }
        ~Run() { watch_.stop(pool_); }
        Run(const Run&) = delete;
        Run& operator=(const Run&) = delete;

    private:
        Stopwatch& watch_;
        ThreadPool& pool_;
    };

    // Returns the operation that this one interrupts.
    Op enter(Op op) {
        if (!profile_) return op;
        const Clock::time_point now = Clock::now();
        OpTime& time = profile_->ops[static_cast<std::int32_t>(op_)];
        time.ns += static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(now - begin_).count());
        time.waited_ns += waited_ns_ - waited_before_;
        begin_ = now;
        waited_before_ = waited_ns_;
        return std::exchange(op_, op);
    }

private:
    using Clock = std::chrono::steady_clock;

    void start(PassProfile* profile, ThreadPool& pool) {
        profile_ = profile;
        if (!profile_) return;
        pool.measure_waits(&waited_ns_);
        op_ = Op::other;
        begin_ = Clock::now();
        waited_before_ = waited_ns_;
    }

    void stop(ThreadPool& pool) {
        if (!profile_) return;
        enter(Op::other);
        pool.measure_waits(nullptr);
        profile_ = nullptr;
    }

    PassProfile* profile_ = nullptr;
    Op op_ = Op::other;
    Clock::time_point begin_;
    std::uint64_t waited_ns_ = 0;
    std::uint64_t waited_before_ = 0;
};

}  // namespace neox
