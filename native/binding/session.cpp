#include "binding/session.h"

#include "binding/environment.h"
#include "binding/values.h"

namespace neox {

Napi::Function SessionObject::define(Napi::Env env) {
    return DefineClass(env, "NativeSession",
                       {InstanceMethod("length", &SessionObject::length), InstanceMethod("ids", &SessionObject::ids),
                        InstanceMethod("truncate", &SessionObject::truncate),
                        InstanceMethod("fork", &SessionObject::fork),
                        InstanceMethod("dispose", &SessionObject::dispose)});
}

SessionObject::SessionObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionObject>(info) {
    auto [loaded, sequence] = take_payload<SessionPayload>(info.Env());
    loaded_ = std::move(loaded);
    sequence_ = std::move(sequence);
    tag<SessionObject>(info.This().As<Napi::Object>());
}

Sequence& SessionObject::alive() const {
    if (loaded_->is_disposed) fail(ErrorCode::disposed, "The model was disposed.");
    if (!sequence_) fail(ErrorCode::disposed, "The session was disposed.");
    return *sequence_;
}

const std::shared_ptr<Sequence>& SessionObject::sequence_of(const LoadedModel& model) const {
    alive();
    if (loaded_.get() != &model) fail(ErrorCode::invalid_argument, "The session belongs to another model.");
    return sequence_;
}

Napi::Value SessionObject::length(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return to_number(info.Env(), loaded_->engine->length(alive())); });
}

Napi::Value SessionObject::ids(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return to_int32_array(info.Env(), loaded_->engine->tokens(alive())); });
}

Napi::Value SessionObject::truncate(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        loaded_->engine->truncate(alive(), read_integer(info[0], "position"));
        return info.Env().Undefined();
    });
}

Napi::Value SessionObject::fork(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        auto copy = loaded_->engine->fork(alive(), read_integer(info[0], "position"));
        return construct(info.Env(), Environment::of(info.Env()).session_class,
                         SessionPayload{loaded_, std::move(copy)});
    });
}

Napi::Value SessionObject::dispose(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        sequence_.reset();
        return info.Env().Undefined();
    });
}

}  // namespace neox
