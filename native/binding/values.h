// JavaScript values to the core's and back. lib/ has validated options already; these readers only make sure that nothing
// of another type is taken for a number or a buffer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "binding/napi_setup.h"
#include "engine/sampler.h"

namespace neox {

// All throw ERR_NEOX_INVALID_ARGUMENT naming `name`.
Napi::Object read_object(Napi::Value value, const char* name);
std::string read_string(Napi::Value value, const char* name);
std::vector<Token> read_ids(Napi::Value value, const char* name);     // Int32Array
std::vector<float> read_floats(Napi::Value value, const char* name);  // Float32Array
std::int64_t read_integer(Napi::Value value, const char* name);       // a safe integer

// Members of an options object; `fallback` where one is absent.
std::int64_t member(Napi::Object object, const char* name, std::int64_t fallback);
double member(Napi::Object object, const char* name, double fallback);
bool member(Napi::Object object, const char* name, bool fallback);
std::optional<std::string> string_member(Napi::Object object, const char* name);
std::vector<Token> ids_member(Napi::Object object, const char* name);

// lib/sampler.ts's resolved options.
SamplerConfig read_sampler_config(Napi::Object object);

Napi::Int32Array to_int32_array(Napi::Env env, std::span<const std::int32_t> values);
Napi::Float32Array to_float32_array(Napi::Env env, std::span<const float> values);
Napi::Number to_number(Napi::Env env, std::int64_t value);
Napi::Number to_number(Napi::Env env, std::uint64_t value);

}  // namespace neox
