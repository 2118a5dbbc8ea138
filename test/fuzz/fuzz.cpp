#include "fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

// From sanitizer/allocator_interface.h, which GCC does not install.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                              void (*on_free)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void* pointer);
}

namespace fuzz {
namespace {

constexpr std::size_t kSmallInput = std::size_t{64} << 10;
constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
constexpr double kMostSeconds = 0.1;
constexpr std::size_t kLongestMessage = 8192;
constexpr int kAttempts = 4;  // of a slow input; the machine may be busy

// Live bytes, counted by the sanitizer's hooks while an input runs.
struct Meter {
    bool on = false;
    std::int64_t live = 0;
    std::int64_t peak = 0;
};
Meter meter;

void on_malloc(const volatile void*, std::size_t size) {
    if (!meter.on) return;
    meter.live += static_cast<std::int64_t>(size);
    if (meter.live > meter.peak) meter.peak = meter.live;
}

void on_free(const volatile void* pointer) {
    if (meter.on) meter.live -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(pointer));
}

struct Totals {
    std::uint64_t inputs = 0;
    std::int64_t peak = 0;  // over small inputs
    double slowest = 0;
};
Totals totals;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void print_totals() {
    std::fprintf(stderr, "fuzz: inputs %llu cpu_seconds %.2f peak_bytes %lld slowest_ms %.2f\n",
                 static_cast<unsigned long long>(totals.inputs), cpu_seconds(),
                 static_cast<long long>(totals.peak), totals.slowest * 1e3);
}

void start() {
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    std::atexit(print_totals);
}

// Seconds of processor time that the input took.
double run(Bytes bytes, const std::function<void(Bytes)>& parse) {
    meter = {true, 0, 0};
    const double begin = cpu_seconds();
    std::size_t message_bytes = 0;
    try {
        parse(bytes);
    } catch (const neox::Error& error) {
        message_bytes = std::strlen(error.what());
    }
    const double seconds = cpu_seconds() - begin;
    meter.on = false;
    require(message_bytes <= kLongestMessage, "an error says what is wrong in at most 8 KiB");
    return seconds;
}

}  // namespace

int one_input(const std::uint8_t* data, std::size_t size, const std::function<void(Bytes)>& parse) {
    static const bool started = (start(), true);
    static_cast<void>(started);
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> copy(begin, begin + size);
    copy.shrink_to_fit();
    double seconds = run(copy, parse);
    ++totals.inputs;
    if (size > kSmallInput) return 0;
    for (int attempt = 1; seconds > kMostSeconds && attempt < kAttempts; ++attempt)
        seconds = std::min(seconds, run(copy, parse));
    if (meter.peak > totals.peak) totals.peak = meter.peak;
    if (seconds > totals.slowest) totals.slowest = seconds;
    require(meter.peak <= kMostBytes, "an input of at most 64 KiB takes at most 16 MiB");
    require(seconds <= kMostSeconds, "an input of at most 64 KiB takes at most 100 ms");
    return 0;
}

void require(bool holds, const char* property) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: broken property: %s (peak %lld bytes)\n", property,
                 static_cast<long long>(meter.peak));
    std::abort();
}

}  // namespace fuzz
