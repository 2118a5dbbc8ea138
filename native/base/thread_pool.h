// A fixed pool of threads for one engine. No allocation per call; it spins first, then yields, then sleeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace neox {

// Threads to use when the caller names none: NEOX_THREADS if set (1 to 256, else ERR_NEOX_INVALID_ARGUMENT), else the
// physical cores that this process may run on (affinity and cgroup limits respected), at least 1.
int default_thread_count();

// A borrowed callable void(std::size_t task, int thread); it must outlive the call.
class TaskRef {
public:
    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskRef>)
        TaskRef(F&& f)  // NOLINT: implicit on purpose, so that lambdas can be passed
        : object_(const_cast<void*>(static_cast<const void*>(&f))),
          call_([](void* object, std::size_t task, int thread) {
              (*static_cast<std::remove_reference_t<F>*>(object))(task, thread);
          }) {}
    void operator()(std::size_t task, int thread) const { call_(object_, task, thread); }

private:
    void* object_;
    void (*call_)(void*, std::size_t, int);
};

class ThreadPool {
public:
    // n_threads in [1, 256] counts the caller, so n_threads - 1 threads are started. Throws ERR_NEOX_INVALID_ARGUMENT.
    explicit ThreadPool(int n_threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const;

    // Runs fn(task, thread) for every task in [0, n_tasks); the caller takes part as thread 0. Each thread goes through a
    // range of its own in order, then helps the others from the ends of theirs, so a result must not depend on which thread
    // ran it. An exception thrown by a task is rethrown here
    // (the first one) after all have stopped. One caller at a time.
    void parallel_for(std::size_t n_tasks, TaskRef fn);

    // From now on *ns grows by the nanoseconds that the caller of parallel_for waits for the other threads; null: nobody counts.
    // For the caller's thread.
    void measure_waits(std::uint64_t* ns);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace neox
