#include "binding/sampler.h"

#include <limits>
#include <vector>

#include "binding/environment.h"
#include "binding/values.h"

namespace neox {

namespace {

std::uint32_t read_index(Napi::Value value, const char* name) {
    const std::int64_t n = read_integer(value, name);
    if (n < 0 || n > std::numeric_limits<std::uint32_t>::max())
        fail(ErrorCode::invalid_argument, name, " ", n, " is outside 0 to 2^32 - 1.");
    return static_cast<std::uint32_t>(n);
}

// process(scores, ids, promptLength, minTokensToKeep) and sample(..., choice).
struct Arguments {
    std::vector<float> scores;
    std::vector<Token> ids;
    std::size_t prompt_length;
    std::size_t keep;

    explicit Arguments(const Napi::CallbackInfo& info)
        : scores(read_floats(info[0], "scores")), ids(read_ids(info[1], "ids")) {
        const std::int64_t n = read_integer(info[2], "promptLength");
        if (n < 0 || n > std::ssize(ids))
            fail(ErrorCode::invalid_argument, "promptLength ", n, " is outside the ", ids.size(), " ids.");
        prompt_length = static_cast<std::size_t>(n);
        keep = read_index(info[3], "minTokensToKeep");
    }
};

}  // namespace

Napi::Function SamplerObject::define(Napi::Env env) {
    return DefineClass(env, "NativeSampler",
                       {InstanceMethod("process", &SamplerObject::process),
                        InstanceMethod("sample", &SamplerObject::sample)});
}

SamplerObject::SamplerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SamplerObject>(info), config_(take_payload<SamplerConfig>(info.Env())) {
    tag<SamplerObject>(info.This().As<Napi::Object>());
}

Sampler& SamplerObject::sampler_for(std::size_t n_vocab) {
    if (sampler_ && n_vocab == n_vocab_) return *sampler_;
    if (n_vocab == 0 || n_vocab > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        fail(ErrorCode::invalid_argument, "Cannot sample from ", n_vocab, " scores.");
    sampler_ = std::make_unique<Sampler>(config_, static_cast<std::int32_t>(n_vocab));
    n_vocab_ = n_vocab;
    return *sampler_;
}

Napi::Value SamplerObject::process(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        Arguments a(info);
        sampler_for(a.scores.size()).process(a.scores, a.ids, a.prompt_length, a.keep);
        return to_float32_array(info.Env(), a.scores);
    });
}

Napi::Value SamplerObject::sample(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        Arguments a(info);
        Sampler& sampler = sampler_for(a.scores.size());
        sampler.process(a.scores, a.ids, a.prompt_length, a.keep);
        const Token id = sampler.choose(a.scores, read_index(info[4], "choice"), a.ids.size());
        return Napi::Number::New(info.Env(), id);
    });
}

Napi::Value create_sampler(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        return construct(info.Env(), Environment::of(info.Env()).sampler_class,
                         read_sampler_config(read_object(info[0], "options")));
    });
}

}  // namespace neox
