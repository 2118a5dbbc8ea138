// What the addon keeps for one JavaScript environment (the main thread, each worker): its instance data. Nothing of it is
// shared between environments, and nothing static holds a JavaScript value.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "binding/channel.h"
#include "binding/errors.h"
#include "binding/loaded_model.h"
#include "binding/napi_setup.h"
#include "binding/native_task.h"

namespace neox {

struct Environment {
    explicit Environment(Napi::Env env);

    static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

    // Ends what this environment started, within one layer's time, and lets nothing reach it any more.
    void shut_down() noexcept;

    std::shared_ptr<Channel> channel;
    TaskList tasks;
    std::vector<std::weak_ptr<LoadedModel>> models;  // whose engines stop with the environment
    Napi::FunctionReference on_wake;                 // lib's function that looks at the calls that wait
    Napi::FunctionReference model_class, session_class, call_class, sampler_class, tokenizer_class;
    void* payload = nullptr;  // what the constructor that runs now is to hold; see construct()
};

// Classes of the binding can only be constructed from here: their constructors take the payload or refuse.
template <class Payload>
Napi::Object construct(Napi::Env env, const Napi::FunctionReference& constructor, Payload payload) {
    struct Lent {
        void*& slot;
        ~Lent() { slot = nullptr; }  // also when the constructor did not run
    } lent{Environment::of(env).payload};
    lent.slot = &payload;
    return constructor.New({});
}

template <class Payload> Payload take_payload(Napi::Env env) {
    void* payload = std::exchange(Environment::of(env).payload, nullptr);
    if (payload == nullptr) throw Napi::TypeError::New(env, "This class cannot be constructed.");
    return std::move(*static_cast<Payload*>(payload));
}

// Marks an object of ours; a method borrowed by a foreign object, or a foreign object as an argument, is then refused
// instead of being read as what it is not. Values of `T::kTag` are random.
template <class T> void tag(Napi::Object object) {
    NAPI_THROW_IF_FAILED_VOID(object.Env(), napi_type_tag_object(object.Env(), object, &T::kTag));
}

template <class T> T& unwrap(Napi::Value value, const char* what) {
    bool is_ours = false;
    if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &T::kTag, &is_ours);
    if (!is_ours) fail(ErrorCode::invalid_argument, "Expected ", what, ".");
    return *T::Unwrap(value.As<Napi::Object>());
}

}  // namespace neox
