#include "binding/imatrix.h"

#include <algorithm>
#include <utility>

#include "binding/environment.h"
#include "binding/model.h"
#include "binding/values.h"
#include "jobs/imatrix.h"

namespace neox {

namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 20;  // of a chunk

std::vector<std::string> strings_member(Napi::Object object, const char* name) {
    const Napi::Value value = object.Get(name);
    if (value.IsUndefined()) return {};
    if (!value.IsArray()) fail(ErrorCode::invalid_argument, "Expected a list for `", name, "`.");
    const auto array = value.As<Napi::Array>();
    std::vector<std::string> strings;
    for (std::uint32_t i = 0; i < array.Length(); ++i) strings.push_back(read_string(array.Get(i), name));
    return strings;
}

CollectOptions read_options(Napi::Object object) {
    CollectOptions options;
    options.model = string_member(object, "model").value_or("");
    options.output = read_string(object.Get("output"), "output");
    options.ids = ids_member(object, "ids");
    options.dataset = string_member(object, "dataset").value_or("");
    options.inputs = strings_member(object, "inputs");
    options.chunk_size = static_cast<std::int32_t>(std::clamp(
        member(object, "chunkSize", std::int64_t{options.chunk_size}), std::int64_t{1}, kMostTokens));
    options.max_chunks = member(object, "maxChunks", std::int64_t{0});
    options.bos = static_cast<std::int32_t>(member(object, "bos", std::int64_t{-1}));
    options.precision = read_host_options(object).precision;
    options.process_output = member(object, "processOutput", false);
    return options;
}

// collectImportance(options, onProgress?): { promise, cancel() }. Loads and runs the model on the job's own threads.
Napi::Value collect_importance(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Object object = read_object(info[0], "options");
        auto work = [options = read_options(object),
                     n_threads = read_host_options(object).n_threads](TaskControl& control) -> TaskResult {
            JobControl job;
            job.n_threads = n_threads;
            job.cancel = &control.cancel;
            job.on_progress = [&control](std::uint64_t done, std::uint64_t total) {
                control.progress(done, total);
            };
            return [result = collect_imatrix(options, job)](Napi::Env env) -> Napi::Value {
                Napi::Object out = Napi::Object::New(env);
                out.Set("chunks", to_number(env, std::int64_t{result.n_chunks}));
                out.Set("tokens", to_number(env, result.n_tokens));
                out.Set("entries", to_number(env, result.n_entries));
                return out;
            };
        };
        return Environment::of(info.Env()).tasks.start_job(info.Env(), info[1], std::move(work));
    });
}

}  // namespace

void define_imatrix(Napi::Env env, Napi::Object exports) {
    exports.Set("collectImportance", Napi::Function::New(env, collect_importance, "collectImportance"));
}

}  // namespace neox
