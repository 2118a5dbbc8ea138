// A thread whose stack is large on every POSIX system: by default musl gives one 128 KiB and macOS 512 KiB, which the tiles
// of a kernel, or a regular expression of nested groups, come near to. Windows gives what the program asks for, mostly 1 MiB.
#pragma once

#include <cstddef>
#include <functional>

#if defined(_WIN32)
#include <thread>
#else
#include <pthread.h>
#endif

namespace neox {

// What glibc gives, on POSIX; only what is touched takes memory.
inline constexpr std::size_t kThreadStack = std::size_t{8} << 20;

// As std::thread, but that one which is still joinable at its end is detached.
class Thread {
public:
    Thread() = default;
    // Throws std::system_error where the system gives no more threads. What leaves `run` ends the process.
    explicit Thread(std::function<void()> run);
    Thread(Thread&& other) noexcept;
    Thread& operator=(Thread&& other) noexcept;
    ~Thread();

    bool joinable() const noexcept;
    void join();
    void detach();

private:
#if defined(_WIN32)
    std::thread thread_;
#else
    pthread_t thread_{};
    bool is_joinable_ = false;
#endif
};

}  // namespace neox
