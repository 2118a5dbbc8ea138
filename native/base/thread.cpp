#include "base/thread.h"

#include <memory>
#include <system_error>
#include <utility>

namespace neox {

#if defined(_WIN32)

Thread::Thread(std::function<void()> run) : thread_(std::move(run)) {}

Thread::Thread(Thread&& other) noexcept = default;

bool Thread::joinable() const noexcept { return thread_.joinable(); }

void Thread::join() { thread_.join(); }

void Thread::detach() { thread_.detach(); }

Thread& Thread::operator=(Thread&& other) noexcept {
    if (joinable()) detach();
    thread_ = std::move(other.thread_);
    return *this;
}

#else

namespace {

using Run = std::function<void()>;

extern "C" void* neox_thread_run(void* run) noexcept {
    (*std::unique_ptr<Run>(static_cast<Run*>(run)))();
    return nullptr;
}

}  // namespace

Thread::Thread(std::function<void()> run) {
    auto state = std::make_unique<Run>(std::move(run));
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_setstacksize(&attributes, kThreadStack);
        if (error == 0) error = pthread_create(&thread_, &attributes, neox_thread_run, state.get());
        pthread_attr_destroy(&attributes);
    }
    if (error != 0) throw std::system_error(error, std::generic_category());
    (void)state.release();  // the thread's
    is_joinable_ = true;
}

Thread::Thread(Thread&& other) noexcept
    : thread_(other.thread_), is_joinable_(std::exchange(other.is_joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
    if (joinable()) detach();
    thread_ = other.thread_;
    is_joinable_ = std::exchange(other.is_joinable_, false);
    return *this;
}

bool Thread::joinable() const noexcept { return is_joinable_; }

void Thread::join() {
    pthread_join(thread_, nullptr);
    is_joinable_ = false;
}

void Thread::detach() {
    pthread_detach(thread_);
    is_joinable_ = false;
}

#endif

Thread::~Thread() {
    if (joinable()) detach();
}

}  // namespace neox
