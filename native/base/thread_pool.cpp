#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

#include "base/error.h"
#include "base/physical_cores.h"
#include "base/thread.h"

namespace neox {
namespace {

constexpr int kMostThreads = 256;
// Longer than the gaps between the products of one token, shorter than anything a user notices as load.
constexpr auto kSpinTime = std::chrono::microseconds(50), kYieldAfter = std::chrono::microseconds(15);

inline void cpu_pause() {
#if defined(_MSC_VER) && defined(_M_X64)
    _mm_pause();
#elif defined(_MSC_VER) && defined(_M_ARM64)
    __yield();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Spins until ready() or the spin time is over; returns ready(). After a while it lets others run in between: where
// threads outnumber cores, one of them may hold the task that is waited for. Not at once: between two products a thread
// waits for some microseconds, and beside other work a core once given away is gone for milliseconds.
template <class Ready> bool spin_until(Ready&& ready) {
    const auto start = std::chrono::steady_clock::now();
    while (true) {
        for (int i = 0; i < 32; ++i) {
            if (ready()) return true;
            cpu_pause();
        }
        const auto waited = std::chrono::steady_clock::now() - start;
        if (waited >= kSpinTime) return ready();
        if (waited >= kYieldAfter) std::this_thread::yield();
    }
}

// Tasks [begin, end) of a round that nobody has taken yet, in one word, so that a task can be taken at either end with
// a compare-exchange. A word of an earlier round never equals one of this round (but after 2^24 rounds).
struct Range {
    static constexpr int kBits = 20;
    std::uint64_t word;

    Range(std::uint64_t of_word) : word(of_word) {}  // NOLINT: implicit on purpose
    Range(std::uint64_t round, std::size_t begin, std::size_t end)
        : word(round << 2 * kBits | std::uint64_t{begin} << kBits | std::uint64_t{end}) {}
    std::size_t begin() const { return word >> kBits & kMost; }
    std::size_t end() const { return word & kMost; }
    bool is_empty() const { return begin() == end(); }
    std::uint64_t without_first() const { return word + (std::uint64_t{1} << kBits); }
    std::uint64_t without_last() const { return word - 1; }

    static constexpr std::size_t kMost = (std::size_t{1} << kBits) - 1;
};
// One round hands out at most this many tasks.
constexpr std::size_t kMostTasks = Range::kMost;

}  // namespace

int default_thread_count() {
    const char* text_value = std::getenv("NEOX_THREADS");
    if (!text_value || *text_value == '\0') return std::min(usable_physical_cores(), kMostThreads);
    int value = 0;
    const char* end = text_value + std::strlen(text_value);
    const auto parsed = std::from_chars(text_value, end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < 1 || value > kMostThreads)
        fail(ErrorCode::invalid_argument, "NEOX_THREADS must be an integer from 1 to ", kMostThreads,
             ", not \"", text_value, "\".");
    return value;
}

// Every thread has a range of tasks, one after the other: those of a matrix are then one stream of weights, which the
// processor fetches ahead far better than pieces that threads take in turn. Whoever is done with its range takes from
// the far ends of the others', so that a thread without a core delays nobody by more than a task. A thread that has
// taken one owns a task of the current round, and the caller stays in its round until every task is finished, so `fn`
// and `first_task` cannot change under a thread that holds a task. A thread that wakes too late finds nothing left.
struct ThreadPool::Impl {
    explicit Impl(int n_threads) : size(n_threads), ranges(static_cast<std::size_t>(n_threads)) {}

    struct alignas(64) Slot {
        std::atomic<std::uint64_t> range{0};
    };

    const int size;
    std::vector<Thread> threads;
    std::vector<Slot> ranges;  // of each thread

    alignas(64) std::atomic<std::uint64_t> round{0};
    alignas(64) std::atomic<std::size_t> unfinished{0};
    alignas(64) const TaskRef* fn = nullptr;
    std::size_t first_task = 0;
    std::atomic<bool> failed{false};
    std::exception_ptr error;  // under mutex
    std::uint64_t* waited_ns = nullptr;

    // Waiting. A sleeper announces itself before it looks once more, a waker publishes before it looks for
    // sleepers (both sequentially consistent), so no wake-up is lost.
    alignas(64) std::atomic<int> n_sleepers{0};
    std::atomic<bool> caller_sleeps{false};
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable work;
    std::condition_variable done;

    // Takes a task from the front of the own range, else from the back of another; false where none is left.
    bool take(int thread, std::size_t& task) {
        std::atomic<std::uint64_t>& own = ranges[static_cast<std::size_t>(thread)].range;
        for (std::uint64_t seen = own.load(); !Range(seen).is_empty();)
            if (own.compare_exchange_weak(seen, Range(seen).without_first())) {
                task = Range(seen).begin();
                return true;
            }
        for (int i = 1; i < size; ++i) {
            std::atomic<std::uint64_t>& other = ranges[static_cast<std::size_t>((thread + i) % size)].range;
            for (std::uint64_t seen = other.load(); !Range(seen).is_empty();)
                if (other.compare_exchange_weak(seen, Range(seen).without_last())) {
                    task = Range(seen).end() - 1;
                    return true;
                }
        }
        return false;
    }

    void run_tasks(int thread) {
        std::size_t task = 0, n_finished = 0;
        for (; take(thread, task); ++n_finished) {
            if (failed.load(std::memory_order_relaxed)) continue;
            try {
                (*fn)(first_task + task, thread);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!error) error = std::current_exception();
                failed.store(true, std::memory_order_relaxed);
            }
        }
        if (n_finished > 0 && unfinished.fetch_sub(n_finished) == n_finished && caller_sleeps.load()) {
            const std::lock_guard lock(mutex);
            done.notify_one();
        }
    }

    void worker(int thread) {
        std::uint64_t seen = 0;
        const auto is_wanted = [&] { return round.load() != seen || stopping.load(); };
        while (true) {
            if (!spin_until(is_wanted)) {
                std::unique_lock lock(mutex);
                n_sleepers.fetch_add(1);
                work.wait(lock, is_wanted);
                n_sleepers.fetch_sub(1);
            }
            if (stopping.load()) return;
            seen = round.load();
            run_tasks(thread);
        }
    }

    void run_round(std::size_t begin, std::size_t count, const TaskRef& task) {
        fn = &task;
        first_task = begin;
        unfinished.store(count);
        const std::uint64_t number = round.load() + 1;
        const auto n = static_cast<std::size_t>(size);
        for (std::size_t i = 0; i < n; ++i)
            ranges[i].range.store(Range(number, count * i / n, count * (i + 1) / n).word);
        round.store(number);
        if (n_sleepers.load() > 0) {
            const std::lock_guard lock(mutex);
            work.notify_all();
        }
        run_tasks(0);
        if (!waited_ns) return wait_for_others();
        const auto start = std::chrono::steady_clock::now();
        wait_for_others();
        *waited_ns += static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start)
                .count());
    }

    void wait_for_others() {
        const auto is_done = [&] { return unfinished.load() == 0; };
        if (spin_until(is_done)) return;
        std::unique_lock lock(mutex);
        caller_sleeps.store(true);
        done.wait(lock, is_done);
        caller_sleeps.store(false);
    }

    void stop() {
        {
            const std::lock_guard lock(mutex);
            stopping.store(true);
        }
        work.notify_all();
        for (Thread& thread : threads) thread.join();
        threads.clear();
    }
};

ThreadPool::ThreadPool(int n_threads) {
    if (n_threads < 1 || n_threads > kMostThreads)
        fail(ErrorCode::invalid_argument, "The number of threads must be from 1 to ", kMostThreads, ", not ",
             n_threads, ".");
    impl_ = std::make_unique<Impl>(n_threads);
    impl_->threads.reserve(static_cast<std::size_t>(n_threads - 1));
    try {
        for (int thread = 1; thread < n_threads; ++thread)
            impl_->threads.emplace_back([impl = impl_.get(), thread] { impl->worker(thread); });
    } catch (const std::exception& e) {
        impl_->stop();
        fail(ErrorCode::out_of_memory, "Cannot start ", n_threads, " threads: ", e.what());
    }
}

ThreadPool::~ThreadPool() { impl_->stop(); }

void ThreadPool::measure_waits(std::uint64_t* ns) { impl_->waited_ns = ns; }

int ThreadPool::size() const { return impl_->size; }

void ThreadPool::parallel_for(std::size_t n_tasks, TaskRef fn) {
    if (impl_->size == 1 || n_tasks <= 1) {
        for (std::size_t task = 0; task < n_tasks; ++task) fn(task, 0);
        return;
    }
    for (std::size_t begin = 0; begin < n_tasks && !impl_->failed.load(); begin += kMostTasks)
        impl_->run_round(begin, std::min(n_tasks - begin, kMostTasks), fn);
    if (!impl_->failed.load()) return;
    impl_->failed.store(false);
    std::rethrow_exception(std::exchange(impl_->error, nullptr));
}

}  // namespace neox
