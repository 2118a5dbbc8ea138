#include "binding/values.h"

#include <cmath>
#include <cstring>

#include "base/error.h"

namespace neox {

namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;

[[noreturn]] void unexpected(const char* what, const char* name) {
    fail(ErrorCode::invalid_argument, "Expected ", what, " for `", name, "`.");
}

bool is_absent(Napi::Value value) { return value.IsUndefined() || value.IsNull(); }

template <class T, napi_typedarray_type kType>
std::vector<T> read_typed_array(Napi::Value value, const char* what, const char* name) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != kType)
        unexpected(what, name);
    const auto array = value.As<Napi::TypedArrayOf<T>>();
    const std::size_t n = array.ElementLength();
    if (n == 0) return {};
    return std::vector<T>(array.Data(), array.Data() + n);
}

std::int32_t small(Napi::Object object, const char* name, std::int64_t fallback) {
    const std::int64_t value = member(object, name, fallback);
    if (value < 0 || value > INT32_MAX) unexpected("an integer from 0 to 2147483647", name);
    return static_cast<std::int32_t>(value);
}

template <class T, class Read> std::vector<T> list_member(Napi::Object object, const char* name, Read read) {
    const Napi::Value value = object.Get(name);
    if (is_absent(value)) return {};
    if (!value.IsArray()) unexpected("a list", name);
    const auto array = value.As<Napi::Array>();
    std::vector<T> list;
    for (std::uint32_t i = 0; i < array.Length(); ++i) list.push_back(read(array.Get(i)));
    return list;
}

}  // namespace

Napi::Object read_object(Napi::Value value, const char* name) {
    if (!value.IsObject()) unexpected("an object", name);
    return value.As<Napi::Object>();
}

std::string read_string(Napi::Value value, const char* name) {
    if (!value.IsString()) unexpected("a string", name);
    return value.As<Napi::String>().Utf8Value();
}

std::vector<Token> read_ids(Napi::Value value, const char* name) {
    return read_typed_array<std::int32_t, napi_int32_array>(value, "an Int32Array", name);
}

std::vector<float> read_floats(Napi::Value value, const char* name) {
    return read_typed_array<float, napi_float32_array>(value, "a Float32Array", name);
}

std::int64_t read_integer(Napi::Value value, const char* name) {
    if (!value.IsNumber()) unexpected("an integer", name);
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!(std::abs(number) <= kMaxSafeInteger) || std::floor(number) != number)
        unexpected("an integer", name);
    return static_cast<std::int64_t>(number);
}

std::int64_t member(Napi::Object object, const char* name, std::int64_t fallback) {
    const Napi::Value value = object.Get(name);
    return is_absent(value) ? fallback : read_integer(value, name);
}

double member(Napi::Object object, const char* name, double fallback) {
    const Napi::Value value = object.Get(name);
    if (is_absent(value)) return fallback;
    if (!value.IsNumber()) unexpected("a number", name);
    return value.As<Napi::Number>().DoubleValue();
}

bool member(Napi::Object object, const char* name, bool fallback) {
    const Napi::Value value = object.Get(name);
    if (is_absent(value)) return fallback;
    if (!value.IsBoolean()) unexpected("a boolean", name);
    return value.As<Napi::Boolean>().Value();
}

std::optional<std::string> string_member(Napi::Object object, const char* name) {
    const Napi::Value value = object.Get(name);
    if (is_absent(value)) return std::nullopt;
    return read_string(value, name);
}

std::vector<Token> ids_member(Napi::Object object, const char* name) {
    const Napi::Value value = object.Get(name);
    return is_absent(value) ? std::vector<Token>{} : read_ids(value, name);
}

SamplerConfig read_sampler_config(Napi::Object object) {
    SamplerConfig c;
    c.do_sample = member(object, "doSample", c.do_sample);
    c.temperature = member(object, "temperature", c.temperature);
    c.top_k = small(object, "topK", c.top_k);
    c.top_p = member(object, "topP", c.top_p);
    c.min_p = member(object, "minP", c.min_p);
    c.typical_p = member(object, "typicalP", c.typical_p);
    c.epsilon_cutoff = member(object, "epsilonCutoff", c.epsilon_cutoff);
    c.eta_cutoff = member(object, "etaCutoff", c.eta_cutoff);
    c.repetition_penalty = member(object, "repetitionPenalty", c.repetition_penalty);
    c.no_repeat_ngram_size = small(object, "noRepeatNgramSize", c.no_repeat_ngram_size);
    c.bad_words_ids = list_member<std::vector<Token>>(
        object, "badWordsIds", [](Napi::Value value) { return read_ids(value, "badWordsIds"); });
    c.sequence_bias =
        list_member<std::pair<std::vector<Token>, float>>(object, "sequenceBias", [](Napi::Value value) {
            const Napi::Object entry = read_object(value, "sequenceBias");
            return std::pair(ids_member(entry, "ids"), static_cast<float>(member(entry, "bias", 0.0)));
        });
    c.min_length = small(object, "minLength", c.min_length);
    c.min_new_tokens = small(object, "minNewTokens", c.min_new_tokens);
    if (!is_absent(object.Get("forcedBosTokenId")))
        c.forced_bos_token_id = small(object, "forcedBosTokenId", 0);
    c.forced_eos_token_id = ids_member(object, "forcedEosTokenId");
    c.max_length = small(object, "maxLength", c.max_length);
    if (const Napi::Value decay = object.Get("exponentialDecayLengthPenalty"); !is_absent(decay)) {
        const Napi::Object entry = read_object(decay, "exponentialDecayLengthPenalty");
        c.exponential_decay_length_penalty = {small(entry, "start", 0), member(entry, "factor", 1.0)};
    }
    c.suppress_tokens = ids_member(object, "suppressTokens");
    c.begin_suppress_tokens = ids_member(object, "beginSuppressTokens");
    c.renormalize_logits = member(object, "renormalizeLogits", c.renormalize_logits);
    c.eos_token_id = ids_member(object, "eosTokenId");
    c.presence_penalty = member(object, "presencePenalty", c.presence_penalty);
    c.frequency_penalty = member(object, "frequencyPenalty", c.frequency_penalty);
    c.dry.multiplier = member(object, "dryMultiplier", c.dry.multiplier);
    c.dry.base = member(object, "dryBase", c.dry.base);
    c.dry.allowed_length = small(object, "dryAllowedLength", c.dry.allowed_length);
    c.dry.range = small(object, "dryRange", c.dry.range);
    c.dry.breaker_ids = ids_member(object, "dryBreakerIds");
    c.dry.breaker_sequences =
        list_member<std::vector<Token>>(object, "dryBreakerSequences", [](Napi::Value value) {
            return read_ids(value, "dryBreakerSequences");
        });
    c.logit_bias = list_member<std::pair<Token, float>>(object, "logitBias", [](Napi::Value value) {
        const Napi::Object entry = read_object(value, "logitBias");
        return std::pair(small(entry, "id", 0), static_cast<float>(member(entry, "bias", 0.0)));
    });
    c.seed = static_cast<std::uint64_t>(member(object, "seed", std::int64_t{0}));
    return c;
}

Napi::Int32Array to_int32_array(Napi::Env env, std::span<const std::int32_t> values) {
    auto array = Napi::Int32Array::New(env, values.size());
    if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size_bytes());
    return array;
}

Napi::Float32Array to_float32_array(Napi::Env env, std::span<const float> values) {
    auto array = Napi::Float32Array::New(env, values.size());
    if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size_bytes());
    return array;
}

Napi::Number to_number(Napi::Env env, std::int64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Number to_number(Napi::Env env, std::uint64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace neox
