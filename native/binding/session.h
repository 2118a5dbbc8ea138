// NativeSession: a sequence that outlives its calls.
#pragma once

#include <memory>

#include "binding/loaded_model.h"
#include "binding/napi_setup.h"

namespace neox {

struct SessionPayload {
    std::shared_ptr<LoadedModel> loaded;
    std::shared_ptr<Sequence> sequence;
};

class SessionObject : public Napi::ObjectWrap<SessionObject> {
public:
    static constexpr napi_type_tag kTag{0x2f9b64d17a0c4e35, 0xc41d80f36e52a9b8};
    static Napi::Function define(Napi::Env env);
    explicit SessionObject(const Napi::CallbackInfo& info);

    // ERR_NEOX_DISPOSED, ERR_NEOX_INVALID_ARGUMENT for a session of another model.
    const std::shared_ptr<Sequence>& sequence_of(const LoadedModel& model) const;

private:
    Napi::Value length(const Napi::CallbackInfo& info);
    Napi::Value ids(const Napi::CallbackInfo& info);
    Napi::Value dropped(const Napi::CallbackInfo& info);
    Napi::Value truncate(const Napi::CallbackInfo& info);
    Napi::Value fork(const Napi::CallbackInfo& info);
    Napi::Value save(const Napi::CallbackInfo& info);
    Napi::Value dispose(const Napi::CallbackInfo& info);

    Sequence& alive() const;

    std::shared_ptr<LoadedModel> loaded_;
    std::shared_ptr<Sequence> sequence_;  // null: disposed
};

// NativeModel's restoreSession(path, recompute, onProgress?): { promise, cancel() }
Napi::Value restore_session_job(const Napi::CallbackInfo& info, const std::shared_ptr<LoadedModel>& loaded);

}  // namespace neox
