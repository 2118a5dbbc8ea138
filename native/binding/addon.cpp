// Registers everything; nothing else.
#include "binding/call.h"
#include "binding/device.h"
#include "binding/environment.h"
#include "binding/imatrix.h"
#include "binding/inspect.h"
#include "binding/jobs.h"
#include "binding/model.h"
#include "binding/sampler.h"
#include "binding/session.h"
#include "binding/stay_loaded.h"
#include "binding/system.h"
#include "binding/tokenizer.h"
#include "binding/values.h"

namespace neox {

namespace {

// setOnWake(function): called after every wake-up, when calls may have news.
Napi::Value set_on_wake(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        if (!info[0].IsFunction()) fail(ErrorCode::invalid_argument, "Expected a function for `onWake`.");
        Environment::of(info.Env()).on_wake = Napi::Persistent(info[0].As<Napi::Function>());
        return info.Env().Undefined();
    });
}

// hold(): keeps the process alive until unhold(); they nest.
Napi::Value hold(const Napi::CallbackInfo& info) {
    Environment::of(info.Env()).channel->hold(info.Env());
    return info.Env().Undefined();
}

Napi::Value unhold(const Napi::CallbackInfo& info) {
    Environment::of(info.Env()).channel->release(info.Env());
    return info.Env().Undefined();
}

Napi::Array error_codes(Napi::Env env) {
    static constexpr const char* kNames[] = {
#define NEOX_ERROR_TEXT(name, text) text,
        NEOX_ERROR_CODES(NEOX_ERROR_TEXT)
#undef NEOX_ERROR_TEXT
    };
    Napi::Array list = Napi::Array::New(env);
    for (const char* name : kNames) list.Set(list.Length(), Napi::String::New(env, name));
    return list;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
    if (!stay_loaded()) throw Napi::Error::New(env, "The system's loader does not keep the addon in memory.");
    auto* environment = new Environment(env);
    env.SetInstanceData(environment);
    // After the thread-safe function was made, so that this hook runs before Node deletes it; see channel.h.
    NAPI_THROW_IF_FAILED(
        env,
        napi_add_env_cleanup_hook(
            env, [](void* data) { static_cast<Environment*>(data)->shut_down(); }, environment),
        exports);
    const auto keep = [](Napi::FunctionReference& reference, Napi::Function constructor) {
        reference = Napi::Persistent(constructor);
    };
    keep(environment->model_class, ModelObject::define(env));
    keep(environment->session_class, SessionObject::define(env));
    keep(environment->call_class, CallObject::define(env));
    keep(environment->sampler_class, SamplerObject::define(env));
    keep(environment->tokenizer_class, TokenizerObject::define(env));

    exports.Set("errorCodes", error_codes(env));
    const auto function = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&)) {
        exports.Set(name, Napi::Function::New(env, call, name));
    };
    function("setOnWake", set_on_wake);
    function("hold", hold);
    function("unhold", unhold);
    function("loadModel", load_model_job);
    function("loadTokenizer", load_tokenizer);
    function("createSampler", create_sampler);
    function("inspect", inspect);
    function("systemInfo", system_info);
    function("listDevices", list_devices);
    function("measureCeilings", measure_ceilings_task);
    define_imatrix(env, exports);
    define_jobs(env, exports);
    return exports;
}

}  // namespace

}  // namespace neox

// The macro below defines functions of the global namespace.
static Napi::Object initialize_neox(Napi::Env env, Napi::Object exports) {
    return neox::initialize(env, exports);
}

NODE_API_MODULE(neox, initialize_neox)
