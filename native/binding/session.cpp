#include "binding/session.h"

#include "binding/environment.h"
#include "binding/values.h"
#include "jobs/session.h"

namespace neox {

namespace {

SessionBinding binding_of(const LoadedModel& loaded) {
    return {loaded.config, loaded.model->fingerprint, loaded.backend.precision, loaded.backend.kv_type};
}

JobControl job_control(TaskControl& task) {
    JobControl control;
    control.cancel = &task.cancel;
    control.on_progress = [&task](std::uint64_t done, std::uint64_t total) { task.progress(done, total); };
    return control;
}

}  // namespace

Napi::Function SessionObject::define(Napi::Env env) {
    return DefineClass(
        env, "NativeSession",
        {InstanceMethod("length", &SessionObject::length), InstanceMethod("ids", &SessionObject::ids),
         InstanceMethod("dropped", &SessionObject::dropped),
         InstanceMethod("truncate", &SessionObject::truncate), InstanceMethod("fork", &SessionObject::fork),
         InstanceMethod("save", &SessionObject::save), InstanceMethod("dispose", &SessionObject::dispose)});
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
    return guard(info.Env(), [&]() -> Napi::Value {
        return to_int32_array(info.Env(), loaded_->engine->tokens(alive()));
    });
}

Napi::Value SessionObject::dropped(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return to_number(info.Env(), loaded_->engine->n_dropped(alive())); });
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

// save(path, onProgress?): { promise, cancel() }. The session is held from here on, by the task's thread.
Napi::Value SessionObject::save(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        alive();
        const std::string path = read_string(info[0], "path");
        auto held = std::make_shared<const SequenceHold>(*loaded_->engine, sequence_);
        auto work = [loaded = loaded_, binding = binding_of(*loaded_), held,
                     path](TaskControl& task) mutable -> TaskResult {
            const auto mine =
                std::exchange(held, nullptr);  // let go of when the work ends, not with its promise
            save_session(*mine, binding, path, job_control(task));
            return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
        };
        held.reset();
        return Environment::of(info.Env()).tasks.start_job(info.Env(), info[1], std::move(work));
    });
}

Napi::Value SessionObject::dispose(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        sequence_.reset();
        return info.Env().Undefined();
    });
}

Napi::Value restore_session_job(const Napi::CallbackInfo& info, const std::shared_ptr<LoadedModel>& loaded) {
    const std::string path = read_string(info[0], "path");
    const bool recompute = info[1].ToBoolean();
    auto work = [loaded, binding = binding_of(*loaded), path, recompute](TaskControl& task) -> TaskResult {
        auto sequence = restore_session(*loaded->engine, binding, path, recompute, job_control(task));
        return [loaded, sequence](Napi::Env env) -> Napi::Value {
            return construct(env, Environment::of(env).session_class, SessionPayload{loaded, sequence});
        };
    };
    return Environment::of(info.Env()).tasks.start_job(info.Env(), info[2], std::move(work));
}

}  // namespace neox
