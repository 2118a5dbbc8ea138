#include "binding/model.h"

#include <locale>
#include <sstream>
#include <utility>

#include "binding/call.h"
#include "binding/device.h"
#include "binding/environment.h"
#include "binding/session.h"
#include "binding/tokenizer.h"
#include "binding/values.h"

namespace neox {

namespace {

constexpr const char* kPrecisionNames[] = {"exact", "high", "fast"};

Precision precision_from_name(const std::string& name) {
    for (std::int32_t i = 0; i < 3; ++i)
        if (name == kPrecisionNames[i]) return static_cast<Precision>(i);
    fail(ErrorCode::invalid_argument, "Unknown precision '", name, "'.");
}

KvType kv_type_from_name(const std::string& name) {
    for (std::int32_t i = 0; i < 3; ++i)
        if (name == kKvTypeNames[i]) return static_cast<KvType>(i);
    fail(ErrorCode::invalid_argument, "Unknown kvCacheType '", name, "'.");
}

// The decimal that a file's author wrote, rather than the float nearest to it: 1e-05, not 0.0000099999997.
// Streams with the classic locale: std::to_chars and std::from_chars for reals are missing from some standard
// libraries.
double decimal(float value) {
    for (int precision = 6; precision <= 9; ++precision) {
        std::stringstream digits;
        digits.imbue(std::locale::classic());
        digits.precision(precision);
        digits << value;
        double result = 0.0;
        if (digits >> result && static_cast<float>(result) == value) return result;
    }
    return value;
}

Napi::Value optional_id(Napi::Env env, std::int32_t id) {
    return id < 0 ? env.Null() : Napi::Number::New(env, id);
}

Napi::Object to_js_profile(Napi::Env env, const PassProfile& profile) {
    Napi::Object ops = Napi::Object::New(env);
    for (int i = 0; i < kOps; ++i) {
        Napi::Object time = Napi::Object::New(env);
        time.Set("ms", static_cast<double>(profile.ops[i].ns) / 1e6);
        time.Set("waitMs", static_cast<double>(profile.ops[i].waited_ns) / 1e6);
        ops.Set(kOpNames[i], time);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("passes", to_number(env, profile.n_passes));
    object.Set("rows", to_number(env, profile.n_rows));
    object.Set("ops", ops);
    return object;
}

}  // namespace

const char* precision_name(Precision precision) {
    return kPrecisionNames[static_cast<std::int32_t>(precision)];
}

HostOptions read_host_options(Napi::Object object) {
    HostOptions options;
    if (const auto name = string_member(object, "type")) {
        options.type = file_type_from_name(*name);
        if (!options.type) fail(ErrorCode::invalid_argument, "Unknown type '", *name, "'.");
    }
    if (const auto name = string_member(object, "precision")) options.precision = precision_from_name(*name);
    if (const auto name = string_member(object, "kvCacheType")) options.kv_type = kv_type_from_name(*name);
    options.device = read_device_request(object);
    options.is_deterministic = member(object, "deterministic", false);
    options.n_threads = static_cast<int>(member(object, "threads", std::int64_t{0}));
    options.n_ctx = member(object, "contextLength", std::int64_t{0});
    options.max_sequences = member(object, "maxSequences", options.max_sequences);
    options.kv_cache_bytes = static_cast<std::uint64_t>(member(object, "kvCacheBytes", std::int64_t{0}));
    return options;
}

Napi::Object to_js_config(Napi::Env env, const Config& c) {
    static constexpr const char* kActs[] = {"gelu", "gelu_new"};
    static constexpr const char* kScalings[] = {"none", "linear", "dynamic"};
    Napi::Object object = Napi::Object::New(env);
    object.Set("numHiddenLayers", c.n_layer);
    object.Set("hiddenSize", c.n_embd);
    object.Set("numAttentionHeads", c.n_head);
    object.Set("intermediateSize", c.n_ff);
    object.Set("vocabSize", c.n_vocab);
    object.Set("maxPositionEmbeddings", c.n_ctx_train);
    object.Set("rotaryPct", static_cast<double>(c.n_rot) / c.head_dim());
    object.Set("ropeTheta", decimal(c.rope_base));
    Napi::Value scaling = env.Null();
    if (c.rope_scaling != RopeScaling::none) {
        Napi::Object value = Napi::Object::New(env);
        value.Set("type", kScalings[static_cast<std::int32_t>(c.rope_scaling)]);
        value.Set("factor", decimal(c.rope_factor));
        scaling = value;
    }
    object.Set("ropeScaling", scaling);
    object.Set("layerNormEps", decimal(c.norm_eps));
    object.Set("hiddenAct", kActs[static_cast<std::int32_t>(c.hidden_act)]);
    object.Set("useParallelResidual", c.parallel_residual != 0);
    object.Set("bosTokenId", optional_id(env, c.bos));
    object.Set("eosTokenId", optional_id(env, c.eos));
    object.Set("padTokenId", optional_id(env, c.pad));
    object.Set("unkTokenId", optional_id(env, c.unk));
    return object;
}

Napi::Object to_js_memory(Napi::Env env, const MemoryEstimate& estimate) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("weightsBytes", to_number(env, estimate.weights_bytes));
    object.Set("kvCacheBytes", to_number(env, estimate.kv_bytes));
    object.Set("scratchBytes", to_number(env, estimate.scratch_bytes));
    return object;
}

Napi::Function ModelObject::define(Napi::Env env) {
    return DefineClass(env, "NativeModel",
                       {InstanceMethod("config", &ModelObject::config),
                        InstanceMethod("info", &ModelObject::information),
                        InstanceMethod("tokenizer", &ModelObject::tokenizer),
                        InstanceMethod("createSession", &ModelObject::create_session),
                        InstanceMethod("restoreSession", &ModelObject::restore_session),
                        InstanceMethod("submit", &ModelObject::submit),
                        InstanceMethod("inputEmbeddings", &ModelObject::input_embeddings),
                        InstanceMethod("startProfile", &ModelObject::start_profile),
                        InstanceMethod("endProfile", &ModelObject::end_profile),
                        InstanceMethod("dispose", &ModelObject::dispose)});
}

ModelObject::ModelObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ModelObject>(info), loaded_(take_payload<std::shared_ptr<LoadedModel>>(info.Env())) {
    tag<ModelObject>(info.This().As<Napi::Object>());
    report_memory(info.Env(), *loaded_);
}

void ModelObject::Finalize(Napi::BasicEnv env) { withdraw_memory(env, *loaded_); }

LoadedModel& ModelObject::alive() const {
    if (loaded_->is_disposed) fail(ErrorCode::disposed, "The model was disposed.");
    return *loaded_;
}

Napi::Value ModelObject::config(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value { return to_js_config(info.Env(), loaded_->config); });
}

Napi::Value ModelObject::information(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Env env = info.Env();
        const LoadedModel& loaded = alive();
        const Model& model = *loaded.model;
        Napi::Object object = Napi::Object::New(env);
        object.Set("name", model.text.name);
        object.Set("chatFormat", model.text.chat_format);
        object.Set("tokenizerNote", model.text.tokenizer_note);
        object.Set("generationConfig", model.text.generation_config);
        object.Set("eosTokenIds", to_int32_array(env, model.parsed.eos_ids));
        object.Set("type", dtype_info(model.dtype).name);
        object.Set("fileType", model.file_type ? file_type_info(*model.file_type).name : "");
        object.Set("isRequantized", model.is_requantized);
        object.Set("weightsBytes", to_number(env, model.weights->bytes()));
        object.Set("device", loaded.gpu_layers > 0 ? "cuda" : "cpu");
        object.Set("gpuLayers", loaded.gpu_layers);
        object.Set("deviceNote", loaded.device_note);
        object.Set("isDeterministic", loaded.gpu_layers == 0 || loaded.backend.deterministic != 0);
        object.Set("precision", precision_name(loaded.backend.precision));
        object.Set("kvCacheType", kKvTypeNames[static_cast<std::int32_t>(loaded.backend.kv_type)]);
        object.Set("threads", loaded.backend.n_threads);
        object.Set("contextLength", loaded.backend.n_ctx);
        object.Set("kvCachePositions", to_number(env, std::int64_t{loaded.backend.n_kv_blocks} * kKvBlock));
        return object;
    });
}

Napi::Value ModelObject::tokenizer(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const LoadedModel& loaded = alive();
        if (!loaded.model->text.has_tokenizer()) return info.Env().Null();
        return to_js_tokenizer(info.Env(), loaded.model->text, loaded.tokenizer);
    });
}

Napi::Value ModelObject::create_session(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        alive();
        return construct(info.Env(), Environment::of(info.Env()).session_class,
                         SessionPayload{loaded_, loaded_->engine->create_sequence()});
    });
}

Napi::Value ModelObject::restore_session(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        alive();
        return restore_session_job(info, loaded_);
    });
}

Napi::Value ModelObject::submit(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        LoadedModel& loaded = alive();
        CallRequest request = read_call_request(read_object(info[0], "request"), loaded);
        request.waker = Environment::of(info.Env()).channel;
        return construct(info.Env(), Environment::of(info.Env()).call_class,
                         CallPayload{loaded_, loaded.engine->submit(std::move(request))});
    });
}

Napi::Value ModelObject::start_profile(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        alive().engine->start_profile();
        return info.Env().Undefined();
    });
}

Napi::Value ModelObject::end_profile(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Profile profile = alive().engine->end_profile();
        Napi::Object object = Napi::Object::New(info.Env());
        object.Set("prompt", to_js_profile(info.Env(), profile.prompt));
        object.Set("step", to_js_profile(info.Env(), profile.step));
        return object;
    });
}

Napi::Value ModelObject::input_embeddings(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        alive();
        std::vector<Token> ids = read_ids(info[0], "ids");
        for (const Token id : ids)
            if (id < 0 || id >= loaded_->config.n_vocab)
                fail(ErrorCode::invalid_argument, "Token id ", id, " is outside the vocabulary of ",
                     loaded_->config.n_vocab, ".");
        auto work = [weights = loaded_->model->weights, n_embd = loaded_->config.n_embd,
                     ids = std::move(ids)](TaskControl&) -> TaskResult {
            const std::size_t stride = static_cast<std::size_t>(n_embd);
            auto rows = std::make_shared<std::vector<float>>(ids.size() * stride);
            for (std::size_t i = 0; i < ids.size(); ++i)
                check(weights->device().embed(weights->handle(), ids[i], rows->data() + i * stride));
            return [rows](Napi::Env env) -> Napi::Value { return to_float32_array(env, *rows); };
        };
        return Environment::of(info.Env()).tasks.start(info.Env(), std::move(work));
    });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        loaded_->is_disposed = true;
        withdraw_memory(info.Env(), *loaded_);
        return Environment::of(info.Env())
            .tasks.start(info.Env(), [loaded = loaded_](TaskControl&) -> TaskResult {
                neox::dispose(*loaded);
                return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
            });
    });
}

Napi::Value load_model_job(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const std::string path = read_string(info[0], "path");
        const HostOptions options = read_host_options(read_object(info[1], "options"));
        auto work = [path, options](TaskControl& control) -> TaskResult {
            std::shared_ptr<LoadedModel> loaded = load_with_engine(path, options, control);
            return [loaded](Napi::Env env) -> Napi::Value {
                Environment& environment = Environment::of(env);
                std::erase_if(environment.models, [](const auto& weak) { return weak.expired(); });
                environment.models.push_back(loaded);
                return construct(env, environment.model_class, loaded);
            };
        };
        return Environment::of(info.Env()).tasks.start_job(info.Env(), info[2], std::move(work));
    });
}

}  // namespace neox
