#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/physical_cores.h"
#include "check.h"

using neox::ThreadPool;

TEST(thread_pool_runs_every_task_once) {
    for (const int n_threads : {1, 2, 3, 7}) {
        ThreadPool pool(n_threads);
        CHECK_EQ(pool.size(), n_threads);
        for (const std::size_t n_tasks : {0, 1, 2, 3, 10, 1000}) {
            std::vector<std::atomic<int>> runs(n_tasks + 1);
            std::atomic<bool> is_thread_valid{true};
            pool.parallel_for(n_tasks, [&](std::size_t task, int thread) {
                runs[task].fetch_add(1);
                if (thread < 0 || thread >= n_threads) is_thread_valid = false;
            });
            for (std::size_t task = 0; task < n_tasks; ++task) CHECK_EQ(runs[task].load(), 1);
            CHECK_EQ(runs[n_tasks].load(), 0);
            CHECK(is_thread_valid.load());
        }
    }
}

TEST(thread_pool_thousand_calls) {
    ThreadPool pool(3);
    std::atomic<std::size_t> sum{0};
    for (std::size_t call = 0; call < 1000; ++call) {
        const std::size_t before = sum.load();
        pool.parallel_for(call % 17, [&](std::size_t task, int) { sum.fetch_add(task + call); });
        std::size_t expected = before;
        for (std::size_t task = 0; task < call % 17; ++task) expected += task + call;
        CHECK_EQ(sum.load(), expected);
    }
}

// Long pauses put the threads to sleep, short ones leave them spinning; each kind of wake-up must work.
TEST(thread_pool_wakes_after_pauses) {
    ThreadPool pool(2);
    std::atomic<int> runs{0};
    for (int call = 0; call < 60; ++call) {
        std::this_thread::sleep_for(std::chrono::microseconds(call * 7));
        pool.parallel_for(4, [&](std::size_t, int) { runs.fetch_add(1); });
        CHECK_EQ(runs.load(), 4 * (call + 1));
    }
}

// Both threads must meet, so the second one really takes part.
TEST(thread_pool_threads_take_part) {
    ThreadPool pool(2);
    std::atomic<int> n_arrived{0};
    std::atomic<bool> has_met{true};
    pool.parallel_for(2, [&](std::size_t, int) {
        n_arrived.fetch_add(1);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (n_arrived.load() < 2) {
            if (std::chrono::steady_clock::now() > end) {
                has_met = false;
                return;
            }
            std::this_thread::yield();
        }
    });
    CHECK(has_met.load());
}

TEST(thread_pool_rethrows) {
    for (const int n_threads : {1, 2, 4}) {
        ThreadPool pool(n_threads);
        for (int call = 0; call < 50; ++call) {
            std::atomic<int> n_running{0};
            bool has_thrown = false;
            try {
                pool.parallel_for(64, [&](std::size_t task, int) {
                    n_running.fetch_add(1);
                    if (task == 20) {
                        n_running.fetch_sub(1);
                        throw std::runtime_error("task 20");
                    }
                    n_running.fetch_sub(1);
                });
            } catch (const std::runtime_error& e) {
                has_thrown = std::string(e.what()) == "task 20";
            }
            CHECK(has_thrown);
            CHECK_EQ(n_running.load(), 0);
            std::atomic<int> runs{0};
            pool.parallel_for(8, [&](std::size_t, int) { runs.fetch_add(1); });
            CHECK_EQ(runs.load(), 8);
        }
    }
}

// Far more threads than cores, several pools at once: slow is allowed, stuck is not.
TEST(thread_pool_oversubscribed) {
    const auto start = std::chrono::steady_clock::now();
    std::atomic<int> runs{0};
    {
        ThreadPool outer(4);
        outer.parallel_for(4, [&](std::size_t, int) {
            ThreadPool inner(8);
            for (int call = 0; call < 100; ++call)
                inner.parallel_for(16, [&](std::size_t, int) { runs.fetch_add(1); });
        });
    }
    CHECK_EQ(runs.load(), 4 * 100 * 16);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST(thread_pool_refuses_bad_counts) {
    CHECK_THROWS(ThreadPool(0), invalid_argument);
    CHECK_THROWS(ThreadPool(-1), invalid_argument);
    CHECK_THROWS(ThreadPool(257), invalid_argument);
}

TEST(thread_pool_default_count) {
    const int cores = neox::usable_physical_cores();
    CHECK(cores >= 1);
    const unsigned hardware = std::thread::hardware_concurrency();
    CHECK(hardware == 0 || cores <= static_cast<int>(hardware));
#if !defined(_WIN32)
    const char* old = std::getenv("NEOX_THREADS");
    const std::string saved = old ? old : "";
    setenv("NEOX_THREADS", "5", 1);
    CHECK_EQ(neox::default_thread_count(), 5);
    for (const char* bad : {"0", "-1", "257", "two", "3x", " 3"}) {
        setenv("NEOX_THREADS", bad, 1);
        CHECK_THROWS(neox::default_thread_count(), invalid_argument);
    }
    unsetenv("NEOX_THREADS");
    const int expected = std::min(cores, 256);
    CHECK_EQ(neox::default_thread_count(), expected);
    if (old) setenv("NEOX_THREADS", saved.c_str(), 1);
#endif
}
