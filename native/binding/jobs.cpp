#include "binding/jobs.h"

#include <string>
#include <utility>

#include "binding/environment.h"
#include "binding/values.h"
#include "jobs/convert.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"
#include "jobs/verify.h"

namespace neox {

namespace {

std::string required_string(Napi::Object object, const char* name) {
    return read_string(object.Get(name), name);
}

std::optional<FileType> type_member(Napi::Object object) {
    const auto name = string_member(object, "type");
    if (!name) return std::nullopt;
    const auto type = file_type_from_name(*name);
    if (!type) fail(ErrorCode::invalid_argument, "Unknown type '", *name, "'.");
    return type;
}

// { type, pure, overrides: [{ pattern, type }] }
TypeRules type_rules(Napi::Object object) {
    TypeRules rules;
    rules.type = type_member(object);
    rules.is_pure = member(object, "pure", false);
    const Napi::Value list = object.Get("overrides");
    if (!list.IsArray()) return rules;
    const Napi::Array overrides = list.As<Napi::Array>();
    for (std::uint32_t i = 0; i < overrides.Length(); ++i) {
        const Napi::Object entry = read_object(overrides.Get(i), "overrides");
        const std::string name = required_string(entry, "type");
        const auto dtype = dtype_from_name(name);
        if (!dtype) fail(ErrorCode::invalid_argument, "Unknown tensor type '", name, "'.");
        rules.overrides.push_back({required_string(entry, "pattern"), *dtype});
    }
    return rules;
}

Napi::Array to_js_names(Napi::Env env, const std::vector<std::string>& names) {
    Napi::Array list = Napi::Array::New(env, names.size());
    for (std::uint32_t i = 0; i < names.size(); ++i) list.Set(i, names[i]);
    return list;
}

Napi::Array to_js_errors(Napi::Env env, const std::vector<TensorError>& errors) {
    Napi::Array list = Napi::Array::New(env, errors.size());
    for (std::uint32_t i = 0; i < errors.size(); ++i) {
        const TensorError& error = errors[i];
        Napi::Object object = Napi::Object::New(env);
        object.Set("name", error.name);
        object.Set("type", dtype_info(error.dtype).name);
        object.Set("elements", to_number(env, error.n_elements));
        object.Set("bitsPerWeight", error.bits_per_weight);
        object.Set("rms", error.rms);
        object.Set("rmse", error.rmse);
        object.Set("relativeError", error.rms > 0.0 ? error.rmse / error.rms : 0.0);
        object.Set("maxError", error.max_error);
        if (error.weighted_error) object.Set("weightedError", *error.weighted_error);
        list.Set(i, object);
    }
    return list;
}

// Starts `job(options, control)`, which gives a WrittenFile.
template <class Options, class Job>
Napi::Value start(const Napi::CallbackInfo& info, Options options, Job job) {
    auto work = [options = std::move(options), job](TaskControl& control) -> TaskResult {
        JobControl job_control;
        job_control.cancel = &control.cancel;
        job_control.on_progress = [&control](std::uint64_t done, std::uint64_t total) {
            control.progress(done, total);
        };
        return [result = job(options, job_control)](Napi::Env env) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("tensorBytes", to_number(env, result.n_bytes));
            object.Set("fallbacks", to_js_names(env, result.fallbacks));
            object.Set("requantized", to_js_names(env, result.requantized));
            object.Set("unweighted", to_js_names(env, result.unweighted));
            object.Set("tensors", to_js_errors(env, result.errors));
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
        options.types = type_rules(object);
        options.imatrix = string_member(object, "imatrix").value_or("");
        options.measure_errors = member(object, "report", false);
        options.quantized_from = string_member(object, "quantizedFrom").value_or("");
        options.name = string_member(object, "name").value_or("");
        options.chat_format = string_member(object, "chatFormat").value_or("");
        options.chat_template = string_member(object, "chatTemplate").value_or("");
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
        options.types = type_rules(object);
        options.imatrix = string_member(object, "imatrix").value_or("");
        options.measure_errors = member(object, "report", false);
        options.quantized_from = string_member(object, "quantizedFrom").value_or("");
        options.allow_requantize = member(object, "allowRequantize", false);
        options.dry_run = member(object, "dryRun", false);
        return start(info, std::move(options), [](const QuantizeOptions& o, const JobControl& control) {
            return quantize(o, control);
        });
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
        options.dry_run = member(object, "dryRun", false);
        options.n_layer = static_cast<std::int32_t>(member(object, "numHiddenLayers", std::int64_t{0}));
        options.seed = static_cast<std::uint64_t>(member(object, "seed", std::int64_t{0}));
        return start(info, std::move(options),
                     [](const SynthOptions& o, const JobControl& control) { return synth(o, control); });
    });
}

// verify(path): counts of what was read, and the tensors with numbers that are not finite.
Napi::Value verify_job(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const std::string path = read_string(info[0], "path");
        auto work = [path](TaskControl& control) -> TaskResult {
            JobControl job_control;
            job_control.cancel = &control.cancel;
            job_control.on_progress = [&control](std::uint64_t done, std::uint64_t total) {
                control.progress(done, total);
            };
            return [result = verify(path, job_control)](Napi::Env env) -> Napi::Value {
                Napi::Array bad = Napi::Array::New(env);
                for (const BadTensor& tensor : result.bad) {
                    Napi::Object entry = Napi::Object::New(env);
                    entry.Set("name", tensor.name);
                    entry.Set("nan", to_number(env, tensor.n_nan));
                    entry.Set("infinite", to_number(env, tensor.n_infinite));
                    entry.Set("row", to_number(env, tensor.row));
                    entry.Set("column", to_number(env, tensor.column));
                    bad.Set(bad.Length(), entry);
                }
                Napi::Object object = Napi::Object::New(env);
                object.Set("tensors", to_number(env, result.n_tensors));
                object.Set("elements", to_number(env, result.n_elements));
                object.Set("tensorBytes", to_number(env, result.n_bytes));
                object.Set("badTensors", bad);
                return object;
            };
        };
        return Environment::of(info.Env()).tasks.start_job(info.Env(), info[1], std::move(work));
    });
}

// synthShapes(): the names that synth() knows.
Napi::Value synth_shapes(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        Napi::Array names = Napi::Array::New(info.Env());
        for (const Shape& shape : shapes())
            names.Set(names.Length(), Napi::String::New(info.Env(), shape.name));
        return names;
    });
}

// fileTypes(): the names of the types that a file can be asked to be.
Napi::Value file_type_names(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        Napi::Array names = Napi::Array::New(info.Env());
        for (const FileTypeInfo& type : file_types())
            names.Set(names.Length(), Napi::String::New(info.Env(), type.name));
        return names;
    });
}

}  // namespace

void define_jobs(Napi::Env env, Napi::Object exports) {
    exports.Set("convert", Napi::Function::New(env, convert_job, "convert"));
    exports.Set("quantize", Napi::Function::New(env, quantize_job, "quantize"));
    exports.Set("synth", Napi::Function::New(env, synth_job, "synth"));
    exports.Set("fileTypes", Napi::Function::New(env, file_type_names, "fileTypes"));
    exports.Set("verify", Napi::Function::New(env, verify_job, "verify"));
    exports.Set("synthShapes", Napi::Function::New(env, synth_shapes, "synthShapes"));
}

}  // namespace neox
