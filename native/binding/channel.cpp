#include "binding/channel.h"

#include "binding/errors.h"

namespace neox {

std::shared_ptr<Channel> Channel::open(Napi::Env env, void (*on_wake)(Napi::Env env)) {
    auto channel = std::make_shared<Channel>();
    channel->on_wake_ = on_wake;
    const Napi::String name = Napi::String::New(env, "neox");
    napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                         channel.get(), call_js, &channel->function_);
    NAPI_THROW_IF_FAILED(env, status, nullptr);
    status = napi_unref_threadsafe_function(env, channel->function_);
    NAPI_THROW_IF_FAILED(env, status, nullptr);
    return channel;
}

void Channel::wake() noexcept {
    if (is_pending_.exchange(true)) return;
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) != napi_ok)
        is_pending_.store(false);
}

void Channel::hold(Napi::Env env) {
    if (holds_++ == 0) napi_ref_threadsafe_function(env, function_);
}

void Channel::release(Napi::Env env) {
    if (holds_ > 0 && --holds_ == 0) napi_unref_threadsafe_function(env, function_);
}

void Channel::close() noexcept {
    const std::lock_guard lock(mutex_);
    closed_ = true;
}

void Channel::call_js(napi_env env, napi_value, void* channel, void*) {
    if (env == nullptr) return;  // the environment is going away; there is nothing to free
    Channel& self = *static_cast<Channel*>(channel);
    // Reads what a wake() that found the flag set has written before it.
    self.is_pending_.exchange(false);
    try {
        guard(env, [&] { self.on_wake_(env); });
    } catch (const Napi::Error& error) {
        error.ThrowAsJavaScriptException();
    }
}

}  // namespace neox
