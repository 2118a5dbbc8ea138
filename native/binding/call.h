// NativeCall: a call that was submitted to the engine.
#pragma once

#include <cstdint>
#include <memory>

#include "binding/loaded_model.h"
#include "binding/napi_setup.h"
#include "engine/call.h"

namespace neox {

struct CallPayload {
    std::shared_ptr<LoadedModel> loaded;
    std::shared_ptr<Call> call;
};

class CallObject : public Napi::ObjectWrap<CallObject> {
public:
    static constexpr napi_type_tag kTag{0xa86e15f0937b4c2d, 0x57d2f94b0c83e61a};
    static Napi::Function define(Napi::Env env);
    explicit CallObject(const Napi::CallbackInfo& info);
    // A call that nobody can read any more ends.
    ~CallObject() override;

private:
    Napi::Value drain(const Napi::CallbackInfo& info);
    Napi::Value cancel(const Napi::CallbackInfo& info);
    Napi::Value scores(const Napi::CallbackInfo& info);
    Napi::Value submit_scores(const Napi::CallbackInfo& info);
    Napi::Value result(const Napi::CallbackInfo& info);
    Napi::Value release(const Napi::CallbackInfo& info);

    Call& alive() const;  // ERR_NEOX_DISPOSED after release()

    std::shared_ptr<LoadedModel> loaded_;
    std::shared_ptr<Call> call_;
    bool is_done_ = false;
    std::int64_t n_drained_ = 0;
};

// What lib/ asks: { session?, prompt: [{ ids } | { embeddings }], and CallRequest's fields in camelCase }.
CallRequest read_call_request(Napi::Object object, LoadedModel& loaded);

}  // namespace neox
