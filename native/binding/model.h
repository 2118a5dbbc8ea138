// NativeModel: a loaded model and its engine.
#pragma once

#include <memory>

#include "binding/loaded_model.h"
#include "binding/napi_setup.h"

namespace neox {

class ModelObject : public Napi::ObjectWrap<ModelObject> {
public:
    static constexpr napi_type_tag kTag{0x6d0f3a51c2e84b97, 0x9b5c1e7a40d8f263};
    static Napi::Function define(Napi::Env env);
    explicit ModelObject(const Napi::CallbackInfo& info);
    void Finalize(Napi::BasicEnv env) override;

private:
    Napi::Value config(const Napi::CallbackInfo& info);
    Napi::Value information(const Napi::CallbackInfo& info);
    Napi::Value tokenizer(const Napi::CallbackInfo& info);
    Napi::Value create_session(const Napi::CallbackInfo& info);
    Napi::Value restore_session(const Napi::CallbackInfo& info);
    Napi::Value submit(const Napi::CallbackInfo& info);
    Napi::Value input_embeddings(const Napi::CallbackInfo& info);
    Napi::Value start_profile(const Napi::CallbackInfo& info);
    Napi::Value end_profile(const Napi::CallbackInfo& info);
    Napi::Value dispose(const Napi::CallbackInfo& info);

    LoadedModel& alive() const;  // ERR_NEOX_DISPOSED

    std::shared_ptr<LoadedModel> loaded_;
};

// loadModel(path, options, onProgress?): { promise, cancel() }
Napi::Value load_model_job(const Napi::CallbackInfo& info);

// The model's values under Hugging Face's names.
Napi::Object to_js_config(Napi::Env env, const Config& config);
// How much memory a device would take, in bytes.
Napi::Object to_js_memory(Napi::Env env, const MemoryEstimate& estimate);
HostOptions read_host_options(Napi::Object options);
const char* precision_name(Precision precision);

}  // namespace neox
