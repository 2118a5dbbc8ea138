#include "kernels/ceiling.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/page_buffer.h"

namespace neox {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// How the threads share the buffer: each reads pieces of this size from a range of its own.
constexpr std::size_t kPieces[] = {std::size_t{128} << 10, std::size_t{1} << 20, std::size_t{8} << 20};

// Bytes per second of the best pass.
double measure_read(ThreadPool& pool, const Kernels& kernels, double seconds, std::size_t bytes) {
    PageBuffer buffer(bytes, "the read test");
    const std::size_t touch = std::size_t{1} << 20;
    // Written, not only mapped: untouched pages may all be one page of zeros.
    pool.parallel_for(bytes / touch, [&](std::size_t task, int) {
        std::memset(buffer.data() + task * touch, static_cast<int>(task & 0xff) + 1, touch);
    });
    std::atomic<std::int32_t> sink{0};
    double best = 0;
    const Clock::time_point start = Clock::now();
    do {
        for (const std::size_t piece : kPieces) {
            const Clock::time_point pass = Clock::now();
            pool.parallel_for((bytes + piece - 1) / piece, [&](std::size_t task, int) {
                const std::size_t begin = task * piece;
                sink.fetch_add(kernels.read(buffer.data() + begin, std::min(piece, bytes - begin)),
                               std::memory_order_relaxed);
            });
            best = std::max(best, static_cast<double>(bytes) / seconds_since(pass));
        }
    } while (seconds_since(start) < seconds);
    return best;
}

// Operations per second of the best run of all threads together.
double measure_peak(ThreadPool& pool, std::int64_t (*loop)(std::int64_t, float*), double seconds) {
    double best = 0;
    const auto n_threads = static_cast<std::size_t>(pool.size());
    const Clock::time_point start = Clock::now();
    for (std::int64_t n_rounds = 1000;;) {
        std::atomic<std::int64_t> operations{0};
        std::atomic<float> kept{0};
        const Clock::time_point run = Clock::now();
        // A thread may take two of these while another sleeps; the time then says so.
        pool.parallel_for(n_threads, [&](std::size_t, int) {
            float sink = 0;
            operations.fetch_add(loop(n_rounds, &sink), std::memory_order_relaxed);
            kept.store(sink, std::memory_order_relaxed);
        });
        const double elapsed = seconds_since(run);
        best = std::max(best, static_cast<double>(operations.load()) / elapsed);
        if (seconds_since(start) > seconds) return best;
        if (elapsed < seconds / 10) n_rounds *= 2;
    }
}

}  // namespace

Ceilings measure_ceilings(ThreadPool& pool, const Kernels& kernels, double seconds, std::size_t read_bytes) {
    constexpr std::size_t kLeastBytes = std::size_t{64} << 20;
    if (!(seconds >= 0.1 && seconds <= 10) || read_bytes < kLeastBytes)
        fail(ErrorCode::invalid_argument, "A ceiling takes 0.1 to 10 seconds and at least 64 MiB, not ",
             seconds, " s and ", read_bytes, " bytes.");
    const std::size_t bytes = read_bytes / (std::size_t{1} << 20) << 20;
    Ceilings ceilings{};
    ceilings.read_gb_per_s = measure_read(pool, kernels, seconds * 0.6, bytes) / 1e9;
    if (kernels.peak_int8)
        ceilings.int8_gop_per_s = measure_peak(pool, kernels.peak_int8, seconds * 0.15) / 1e9;
    if (kernels.peak_int16)
        ceilings.int16_gop_per_s = measure_peak(pool, kernels.peak_int16, seconds * 0.15) / 1e9;
    ceilings.f32_gflop_per_s = measure_peak(pool, kernels.peak_f32, seconds * 0.1) / 1e9;
    return ceilings;
}

}  // namespace neox
