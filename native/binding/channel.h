// The one way from other threads to an environment's JavaScript thread: a wake-up without content, behind a gate.
//
// A thread-safe function must not be touched once its environment is being torn down, and Node does not reliably say so.
// So every producer takes the mutex and looks at `closed_` first, and the environment's cleanup hook closes the gate. The
// hook is registered after the thread-safe function was created: hooks run last in, first out, so ours comes before Node
// deletes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "binding/napi_setup.h"
#include "engine/call.h"

namespace neox {

class Channel final : public Waker {
public:
    // JavaScript thread. `on_wake` runs there once for any number of wake() calls before it. The channel does not keep the
    // process alive until hold() is called. It must outlive the environment's cleanup hooks.
    static std::shared_ptr<Channel> open(Napi::Env env, void (*on_wake)(Napi::Env env));

    // Any thread.
    void wake() noexcept override;

    // JavaScript thread from here on. Between hold() and release() the process stays alive; they nest.
    void hold(Napi::Env env);
    void release(Napi::Env env);
    // From the cleanup hook: no wake-up after it.
    void close() noexcept;

private:
    static void call_js(napi_env env, napi_value function, void* channel, void* data);

    std::mutex mutex_;
    bool closed_ = false;  // guarded by mutex_
    napi_threadsafe_function function_ = nullptr;
    void (*on_wake_)(Napi::Env env) = nullptr;
    // A wake-up is under way: news that come before it runs are seen by it.
    std::atomic<bool> is_pending_{false};
    std::int64_t holds_ = 0;
};

}  // namespace neox
