// NativeSampler: the engine's sampler over scores that JavaScript holds.
#pragma once

#include <memory>

#include "binding/napi_setup.h"
#include "engine/sampler.h"

namespace neox {

class SamplerObject : public Napi::ObjectWrap<SamplerObject> {
public:
    static constexpr napi_type_tag kTag{0x91c7d3e85b064fa2, 0x0e8a6b42f7193dc5};
    static Napi::Function define(Napi::Env env);
    explicit SamplerObject(const Napi::CallbackInfo& info);

private:
    Napi::Value process(const Napi::CallbackInfo& info);
    Napi::Value sample(const Napi::CallbackInfo& info);

    // The sampler for rows of this many scores.
    Sampler& sampler_for(std::size_t n_vocab);

    SamplerConfig config_;
    std::unique_ptr<Sampler> sampler_;
    std::size_t n_vocab_ = 0;
};

// createSampler(options): NativeSampler
Napi::Value create_sampler(const Napi::CallbackInfo& info);

}  // namespace neox
