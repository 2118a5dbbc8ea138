#include "binding/inspect.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binding/environment.h"
#include "binding/model.h"
#include "binding/values.h"
#include "model/device_choice.h"
#include "model/device_library.h"
#include "model/load_plan.h"
#include "model/source.h"

namespace neox {

namespace {

struct Inspection {
    std::unique_ptr<TensorSource> source;
    std::vector<SourceEntry> metadata;
    LoadPlan plan;
    std::optional<FileType> file_type;
    BackendOptions backend{};
    MemoryEstimate memory{};
    std::optional<DeviceFit> gpu;
    std::string gpu_note;  // why there is none, where one was asked for
};

Napi::Array to_js_origins(Napi::Env env, const std::vector<ConfigOrigin>& origins) {
    Napi::Array list = Napi::Array::New(env, origins.size());
    for (std::uint32_t i = 0; i < origins.size(); ++i) {
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("key", origins[i].key);
        entry.Set("value", origins[i].value);
        entry.Set("origin", origins[i].origin);
        list.Set(i, entry);
    }
    return list;
}

std::uint64_t bytes_of(DType dtype, const Tensor& tensor) {
    return row_bytes(dtype, tensor.n_cols()) * tensor.n_rows();
}

Napi::Array to_js_tensors(Napi::Env env, const std::vector<Tensor>& tensors, const LoadPlan& plan) {
    Napi::Array list = Napi::Array::New(env, plan.tensors.size());
    for (std::uint32_t i = 0; i < plan.tensors.size(); ++i) {
        const Tensor& tensor = tensors[plan.tensors[i].index];
        const DType loaded = plan.tensors[i].spec.dtype;
        Napi::Array shape = Napi::Array::New(env);
        if (tensor.n_rows() > 1) shape.Set(shape.Length(), to_number(env, tensor.n_rows()));
        shape.Set(shape.Length(), to_number(env, tensor.n_cols()));
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("name", tensor.name);
        entry.Set("type", dtype_info(tensor.dtype).name);
        entry.Set("shape", shape);
        entry.Set("bytes", to_number(env, bytes_of(tensor.dtype, tensor)));
        entry.Set("loadedType", dtype_info(loaded).name);
        entry.Set("loadedBytes", to_number(env, bytes_of(loaded, tensor)));
        list.Set(i, entry);
    }
    return list;
}

Napi::Array to_js_files(Napi::Env env, const std::vector<SourceFile>& files) {
    Napi::Array list = Napi::Array::New(env, files.size());
    for (std::uint32_t i = 0; i < files.size(); ++i) {
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("path", files[i].path);
        entry.Set("bytes", to_number(env, files[i].n_bytes));
        list.Set(i, entry);
    }
    return list;
}

Napi::Array to_js_metadata(Napi::Env env, const std::vector<SourceEntry>& entries) {
    Napi::Array list = Napi::Array::New(env, entries.size());
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("key", entries[i].key);
        entry.Set("type", entries[i].type);
        entry.Set("value", entries[i].value);
        list.Set(i, entry);
    }
    return list;
}

// `backend` is what a load with these options would have.
void ask_gpu(const DeviceRequest& request, const BackendOptions& backend, Inspection& found) {
    if (request.policy == DevicePolicy::cpu) return;
    try {
        if (request.library.empty()) fail(ErrorCode::backend, request.absence);
        const std::vector<TensorSpec> tensors = found.plan.specs();
        found.gpu = fit_device(open_device_library(request.library, request.version),
                               {found.source->config(), backend, tensors, {}});
    } catch (const Error& error) {
        if (request.policy == DevicePolicy::gpu) throw;
        found.gpu_note = error.what();
    }
}

Napi::Value to_js_fit(Napi::Env env, const std::optional<DeviceFit>& fit) {
    if (!fit) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", static_cast<const char*>(fit->probe.name));
    object.Set("totalBytes", to_number(env, fit->probe.total_bytes));
    object.Set("freeBytes", to_number(env, fit->probe.free_bytes));
    object.Set("gpuLayers", fit->gpu_layers);
    object.Set("memory", to_js_memory(env, fit->all));
    object.Set("layersMemory", to_js_memory(env, fit->part));
    return object;
}

Napi::Value to_js(Napi::Env env, const Inspection& found) {
    const ModelText& text = found.source->text();
    const ParsedConfig& parsed = found.source->parsed();
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", text.name);
    object.Set("format", found.source->format());
    object.Set("files", to_js_files(env, found.source->files()));
    object.Set("metadata", to_js_metadata(env, found.metadata));
    object.Set("chatFormat", text.chat_format);
    object.Set("hasTokenizer", text.has_tokenizer());
    object.Set("isBpe", !text.tokenizer_json.empty());
    object.Set("tokenizerNote", text.tokenizer_note);
    object.Set("generationConfig", text.generation_config);
    object.Set("config", to_js_config(env, parsed.config));
    object.Set("eosTokenIds", to_int32_array(env, parsed.eos_ids));
    object.Set("origins", to_js_origins(env, parsed.origins));
    object.Set("tensors", to_js_tensors(env, found.source->tensors(), found.plan));
    object.Set("type", dtype_info(found.plan.dtype).name);
    object.Set("fileType", found.file_type ? file_type_info(*found.file_type).name : "");
    object.Set("quantizedFrom", found.source->quantized_from());
    object.Set("fileBytes", to_number(env, found.plan.n_bytes));
    object.Set("contextLength", found.backend.n_ctx);
    object.Set("precision", precision_name(found.backend.precision));
    object.Set("memory", to_js_memory(env, found.memory));
    object.Set("gpu", to_js_fit(env, found.gpu));
    object.Set("gpuNote", found.gpu_note);
    return object;
}

}  // namespace

Napi::Value inspect(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const std::string path = read_string(info[0], "path");
        const Napi::Object given = read_object(info[1], "options");
        const HostOptions options = read_host_options(given);
        // What is told of the CPU's memory is that of one sequence.
        HostOptions own = options;
        if (!given.Has("maxSequences")) own.max_sequences = 1;
        auto work = [path, options, own](TaskControl&) -> TaskResult {
            auto found = std::make_shared<Inspection>();
            found->source = open_source(path);
            found->metadata = found->source->metadata();
            found->plan = plan_load(*found->source, options.type);
            found->file_type = options.type ? options.type : found->source->file_type();
            const Config& config = found->source->config();
            found->backend = backend_options(config, found->plan.dtype, own);
            found->memory = estimate_memory(cpu_device(), config, found->backend, found->plan);
            ask_gpu(options.device, backend_options(config, found->plan.dtype, options), *found);
            return [found](Napi::Env env) -> Napi::Value { return to_js(env, *found); };
        };
        return Environment::of(info.Env()).tasks.start(info.Env(), std::move(work));
    });
}

}  // namespace neox
