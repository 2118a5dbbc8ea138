#include "columns_bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/page_buffer.h"
#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "kernels/matmul.h"
#include "random_blocks.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<int, 8> kTokens{1, 2, 3, 4, 5, 6, 8, 16};

// With one thread the processor's time, which others on the machine disturb least; with several the clock's.
double seconds_now(const ThreadPool& pool) {
    if (pool.size() == 1) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// Time of one product for each number of tokens: the numbers take turns, so that a busy machine is busy for all of them, and
// the shortest time counts.
std::array<double, kTokens.size()> measure(ThreadPool& pool, const Kernels& kernels, DType dtype,
                                           std::int64_t n_rows, std::int64_t n_cols, double seconds) {
    ResidentMatrix w{dtype, n_rows, n_cols, resident_panel_bytes(dtype, n_cols), nullptr};
    const std::vector<std::byte> rows = random_blocks::rows(dtype, 16, n_cols, 1.0f, 1);
    PageBuffer memory(w.panel_bytes * static_cast<std::size_t>(w.n_panels()), "panels");
    w.data = memory.data();
    for (std::int64_t panel = 0; panel < w.n_panels(); ++panel)
        layout_panels(kernels, w, memory.data(), panel, rows.data(),
                      row_bytes(dtype, static_cast<std::uint64_t>(n_cols)), 16);
    std::vector<float> x(16 * static_cast<std::size_t>(n_cols)), y(16 * static_cast<std::size_t>(n_rows));
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i * 2654435761u % 1000) * 0.002f - 1.0f;
    const Arithmetic arithmetic = usable_arithmetic(kernels, dtype, n_cols, Arithmetic::q15);
    ActivationBuffer buffer;
    std::array<double, kTokens.size()> best;
    best.fill(1e30);
    const Clock::time_point start = Clock::now();
    do {
        for (std::size_t i = 0; i < kTokens.size(); ++i) {
            const double begin = seconds_now(pool);
            const Activations in =
                buffer.prepare(pool, kernels, dtype, arithmetic, x.data(), kTokens[i], n_cols);
            matmul(pool, kernels, w, in, y.data(), n_rows, {});
            best[i] = std::min(best[i], seconds_now(pool) - begin);
        }
    } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    return best;
}

}  // namespace

void bench_columns(double seconds) {
    ThreadPool pool(default_thread_count());
    const Kernels& kernels = active_kernels();
    std::printf("isa %s, %d threads; the time of n tokens over that of one, and its microseconds\n",
                kernels.name, pool.size());
    constexpr struct {
        const char* name;
        std::int64_t n_rows, n_cols;
    } kShapes[] = {{"cached 1024 x 256", 1024, 256},
                   {"cached 256 x 1024", 256, 1024},
                   {"memory 33792 x 2816", 33792, 2816}};
    for (const auto& shape : kShapes) {
        std::printf("%-20s", shape.name);
        for (const int n : kTokens) std::printf("%7d", n);
        std::printf("\n");
        for (const DType dtype : {DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q6_K, DType::F16}) {
            if (shape.n_cols % 256 != 0 && (dtype == DType::Q4_K || dtype == DType::Q6_K)) continue;
            const auto times = measure(pool, kernels, dtype, shape.n_rows, shape.n_cols, seconds);
            std::printf("  %-18s", dtype_info(dtype).name);
            for (const double time : times) std::printf("%7.2f", time / times[0]);
            std::printf("  %10.1f us\n", 1e6 * times[0]);
        }
    }
}
