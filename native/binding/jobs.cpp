#include "binding/jobs.h"

#include <string>
#include <utility>

#include "binding/environment.h"
#include "binding/values.h"
#include "jobs/convert.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"

namespace neox {

namespace {

std::string required_string(Napi::Object object, const char* name) {
    return read_string(object.Get(name), name);
}

std::optional<DType> type_member(Napi::Object object) {
    const auto name = string_member(object, "type");
    if (!name) return std::nullopt;
    const auto type = dtype_from_name(*name);
    if (!type) fail(ErrorCode::invalid_argument, "Unknown type '", *name, "'.");
    return type;
}

// Starts `job(options, control)`, whose result has n_bytes and fallbacks.
template <class Options, class Job>
Napi::Value start(const Napi::CallbackInfo& info, Options options, Job job) {
    auto work = [options = std::move(options), job](TaskControl& control) -> TaskResult {
        JobControl job_control;
        job_control.cancel = &control.cancel;
        job_control.on_progress = [&control](std::uint64_t done, std::uint64_t total) {
            control.progress(done, total);
        };
        return [result = job(options, job_control)](Napi::Env env) -> Napi::Value {
            Napi::Array fallbacks = Napi::Array::New(env);
            for (const std::string& name : result.fallbacks) fallbacks.Set(fallbacks.Length(), name);
            Napi::Object object = Napi::Object::New(env);
            object.Set("tensorBytes", to_number(env, result.n_bytes));
            object.Set("fallbacks", fallbacks);
            return object;
        };
    };
    return Environment::of(info.Env()).tasks.start_job(info.Env(), info[1], std::move(work));
}

Napi::Value convert_job(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Object object = read_object(info[0], "options");
        ConvertOptions options;
        options.source = required_string(object, "source");
        options.output = required_string(object, "output");
        options.type = type_member(object);
        options.name = string_member(object, "name").value_or("");
        options.chat_format = string_member(object, "chatFormat").value_or("");
        return start(info, std::move(options),
                     [](const ConvertOptions& o, const JobControl& control) { return convert(o, control); });
    });
}

Napi::Value quantize_job(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Object object = read_object(info[0], "options");
        QuantizeOptions options;
        options.source = required_string(object, "source");
        options.output = required_string(object, "output");
        options.type = type_member(object).value_or(options.type);
        return start(info, std::move(options),
                     [](const QuantizeOptions& o, const JobControl& control) { return quantize(o, control); });
    });
}

Napi::Value synth_job(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Object object = read_object(info[0], "options");
        SynthOptions options;
        options.shape = required_string(object, "shape");
        options.output = required_string(object, "output");
        options.type = type_member(object).value_or(options.type);
        options.tokenizer = string_member(object, "tokenizer").value_or("");
        options.seed = static_cast<std::uint64_t>(member(object, "seed", std::int64_t{0}));
        return start(info, std::move(options),
                     [](const SynthOptions& o, const JobControl& control) { return synth(o, control); });
    });
}

// synthShapes(): the names that synth() knows.
Napi::Value synth_shapes(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        Napi::Array names = Napi::Array::New(info.Env());
        for (const Shape& shape : shapes()) names.Set(names.Length(), Napi::String::New(info.Env(), shape.name));
        return names;
    });
}

}  // namespace

void define_jobs(Napi::Env env, Napi::Object exports) {
    exports.Set("convert", Napi::Function::New(env, convert_job, "convert"));
    exports.Set("quantize", Napi::Function::New(env, quantize_job, "quantize"));
    exports.Set("synth", Napi::Function::New(env, synth_job, "synth"));
    exports.Set("synthShapes", Napi::Function::New(env, synth_shapes, "synthShapes"));
}

}  // namespace neox
