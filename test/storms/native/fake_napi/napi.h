// Of Node-API what native/binding/channel.cpp uses, over an environment in miniature: a thread that waits for its
// thread-safe function, whose cleanup hooks run last in, first out, and which deletes the function with the first of them, as
// Node does. A call of a deleted function is then a use of freed memory, which the sanitizers report.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fake_napi {

struct Environment;

}  // namespace fake_napi

using napi_env = fake_napi::Environment*;
using napi_value = void*;
using napi_threadsafe_function_call_js = void (*)(napi_env env, napi_value function, void* context,
                                                  void* data);
enum napi_status { napi_ok, napi_closing };
enum napi_threadsafe_function_call_mode { napi_tsfn_nonblocking, napi_tsfn_blocking };

namespace fake_napi {

struct Function {
    Environment* env;
    napi_threadsafe_function_call_js call_js;
    void* context;
    std::mutex mutex;
    int n_called = 0;
};

struct Environment {
    std::mutex mutex;
    std::condition_variable called;
    bool is_due = false;
    std::unique_ptr<Function> function;
    std::vector<std::function<void()>> hooks;

    void notify() {
        const std::lock_guard lock(mutex);
        is_due = true;
        called.notify_one();
    }
    // The environment's thread: runs what was called, after waiting for it for a while. False when nothing was.
    bool run(std::chrono::microseconds patience) {
        {
            std::unique_lock lock(mutex);
            if (!called.wait_for(lock, patience, [this] { return is_due; })) return false;
            is_due = false;
        }
        int n = 0;
        {
            const std::lock_guard lock(function->mutex);
            n = std::exchange(function->n_called, 0);
        }
        for (; n > 0; --n) function->call_js(this, nullptr, function->context, nullptr);
        return true;
    }
    void tear_down() {
        while (!hooks.empty()) {
            const auto hook = std::move(hooks.back());
            hooks.pop_back();
            hook();
        }
    }
};

}  // namespace fake_napi

using napi_threadsafe_function = fake_napi::Function*;

namespace Napi {

struct Env {
    napi_env env;
    Env(napi_env e) : env(e) {}
    operator napi_env() const { return env; }
};

struct String {
    static String New(Env, const char*) { return {}; }
    operator napi_value() const { return nullptr; }
};

struct Object {
    void Set(const char*, const char*) {}
};

struct Error : std::exception {
    explicit Error(std::string m) : message(std::move(m)) {}
    static Error New(Env, const char* message) { return Error(message); }
    Object Value() const { return {}; }
    void ThrowAsJavaScriptException() const { throw *this; }
    const char* what() const noexcept override { return message.c_str(); }
    std::string message;
};

}  // namespace Napi

#define NAPI_THROW_IF_FAILED(env, status, ...)                                                               \
    if ((status) != napi_ok) throw Napi::Error::New(env, "Node-API refused.")

inline napi_status napi_create_threadsafe_function(napi_env env, napi_value, napi_value, napi_value,
                                                   std::size_t, std::size_t, void*, void*, void* context,
                                                   napi_threadsafe_function_call_js call_js,
                                                   napi_threadsafe_function* result) {
    env->function = std::make_unique<fake_napi::Function>();
    env->function->env = env;
    env->function->call_js = call_js;
    env->function->context = context;
    env->hooks.push_back([env] { env->function.reset(); });
    *result = env->function.get();
    return napi_ok;
}

inline napi_status napi_ref_threadsafe_function(napi_env, napi_threadsafe_function) { return napi_ok; }

inline napi_status napi_unref_threadsafe_function(napi_env, napi_threadsafe_function) { return napi_ok; }

inline napi_status napi_call_threadsafe_function(napi_threadsafe_function function, void*,
                                                 napi_threadsafe_function_call_mode) {
    {
        const std::lock_guard lock(function->mutex);
        ++function->n_called;
    }
    function->env->notify();
    return napi_ok;
}
