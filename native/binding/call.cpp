#include "binding/call.h"

#include <string_view>
#include <utility>

#include "binding/environment.h"
#include "binding/session.h"
#include "binding/values.h"

namespace neox {

namespace {

constexpr const char* kStateNames[] = {"waiting", "running", "awaitingScores", "done"};
constexpr const char* kOverflowNames[] = {"error", "truncateLeft", "shift"};
constexpr const char* kFinishNames[] = {"none", "eos", "stop", "length", "time", "cancelled"};

FinishReason finish_from_name(std::string_view name) {
    for (std::int32_t i = 0; i < 6; ++i)
        if (name == kFinishNames[i]) return static_cast<FinishReason>(i);
    fail(ErrorCode::invalid_argument, "Unknown finish reason '", std::string(name), "'.");
}

Overflow overflow_from_name(std::string_view name) {
    for (std::int32_t i = 0; i < 3; ++i)
        if (name == kOverflowNames[i]) return static_cast<Overflow>(i);
    fail(ErrorCode::invalid_argument, "Unknown contextOverflow '", std::string(name), "'.");
}

std::vector<std::int64_t> read_positions(Napi::Object object, const char* name) {
    const std::vector<Token> ids = ids_member(object, name);
    return {ids.begin(), ids.end()};
}

BeamOptions read_beams(Napi::Object object) {
    BeamOptions beams;
    beams.n_beams = static_cast<std::int32_t>(member(object, "numBeams", std::int64_t{beams.n_beams}));
    beams.n_return =
        static_cast<std::int32_t>(member(object, "numReturnSequences", std::int64_t{beams.n_return}));
    beams.length_penalty = member(object, "lengthPenalty", beams.length_penalty);
    const std::string early = string_member(object, "earlyStopping").value_or("false");
    if (early != "false" && early != "true" && early != "never")
        fail(ErrorCode::invalid_argument, "Unknown earlyStopping '", early, "'.");
    if (early != "false") beams.early_stopping = early == "true" ? EarlyStopping::on : EarlyStopping::never;
    return beams;
}

std::vector<PromptPart> read_prompt(Napi::Value value) {
    if (!value.IsArray()) fail(ErrorCode::invalid_argument, "Expected a list for `prompt`.");
    const auto list = value.As<Napi::Array>();
    std::vector<PromptPart> parts;
    for (std::uint32_t i = 0; i < list.Length(); ++i) {
        const Napi::Object entry = read_object(list.Get(i), "prompt");
        PromptPart part;
        part.ids = ids_member(entry, "ids");
        if (const Napi::Value embeddings = entry.Get("embeddings"); !embeddings.IsUndefined())
            part.embeddings = read_floats(embeddings, "embeddings");
        parts.push_back(std::move(part));
    }
    return parts;
}

// { ids }, and { logprobs, tops } when they were asked for.
void set_tokens(Napi::Env env, Napi::Object object, const std::vector<SampledToken>& tokens,
                bool has_logprobs) {
    std::vector<Token> ids;
    for (const SampledToken& token : tokens) ids.push_back(token.id);
    object.Set("ids", to_int32_array(env, ids));
    if (!has_logprobs) return;
    std::vector<float> logprobs;
    Napi::Array tops = Napi::Array::New(env, tokens.size());
    for (std::uint32_t i = 0; i < tokens.size(); ++i) {
        logprobs.push_back(tokens[i].logprob);
        Napi::Array top = Napi::Array::New(env, tokens[i].top.size());
        for (std::uint32_t j = 0; j < tokens[i].top.size(); ++j) {
            Napi::Object entry = Napi::Object::New(env);
            entry.Set("id", tokens[i].top[j].id);
            entry.Set("logprob", tokens[i].top[j].logprob);
            top.Set(j, entry);
        }
        tops.Set(i, top);
    }
    object.Set("logprobs", to_float32_array(env, logprobs));
    object.Set("tops", tops);
}

Napi::Array to_beams(Napi::Env env, const std::vector<BeamOutput>& outputs, bool has_logprobs) {
    Napi::Array beams = Napi::Array::New(env, outputs.size());
    for (std::uint32_t i = 0; i < outputs.size(); ++i) {
        Napi::Object beam = Napi::Object::New(env);
        set_tokens(env, beam, outputs[i].tokens, has_logprobs);
        beam.Set("score", outputs[i].score);
        beam.Set("finishReason", kFinishNames[static_cast<std::int32_t>(outputs[i].finish)]);
        beams.Set(i, beam);
    }
    return beams;
}

}  // namespace

CallRequest read_call_request(Napi::Object object, LoadedModel& loaded) {
    CallRequest request;
    if (const Napi::Value session = object.Get("session"); !session.IsUndefined())
        request.sequence = unwrap<SessionObject>(session, "a session").sequence_of(loaded);
    else
        request.sequence = loaded.engine->create_sequence();
    request.prompt = read_prompt(object.Get("prompt"));
    request.max_new_tokens = member(object, "maxNewTokens", request.max_new_tokens);
    if (const Napi::Value sampler = object.Get("sampler"); !sampler.IsUndefined())
        request.sampler = read_sampler_config(read_object(sampler, "sampler"));
    request.replace = member(object, "replace", request.replace);
    if (const auto name = string_member(object, "contextOverflow"))
        request.overflow = overflow_from_name(*name);
    request.overflow_keep = member(object, "overflowKeep", request.overflow_keep);
    request.choice = static_cast<std::uint32_t>(member(object, "choice", std::int64_t{0}));
    request.n_logprobs = static_cast<std::int32_t>(member(object, "logprobs", std::int64_t{-1}));
    request.n_draft = static_cast<std::int32_t>(member(object, "draftTokens", std::int64_t{request.n_draft}));
    request.external_scores = member(object, "externalScores", request.external_scores);
    if (const Napi::Value beams = object.Get("beams"); !beams.IsUndefined())
        request.beams = read_beams(read_object(beams, "beams"));
    request.max_time_ms = member(object, "maxTimeMs", request.max_time_ms);
    const std::int64_t ring =
        member(object, "ringCapacity", static_cast<std::int64_t>(request.ring_capacity));
    if (ring < 1) fail(ErrorCode::invalid_argument, "ringCapacity must be at least 1.");
    request.ring_capacity = static_cast<std::size_t>(ring);
    request.logits_at = read_positions(object, "logitsAt");
    request.hidden_at = read_positions(object, "hiddenAt");
    request.score_from = member(object, "scoreFrom", request.score_from);
    return request;
}

Napi::Function CallObject::define(Napi::Env env) {
    return DefineClass(
        env, "NativeCall",
        {InstanceMethod("drain", &CallObject::drain), InstanceMethod("cancel", &CallObject::cancel),
         InstanceMethod("scores", &CallObject::scores),
         InstanceMethod("submitScores", &CallObject::submit_scores),
         InstanceMethod("result", &CallObject::result), InstanceMethod("release", &CallObject::release)});
}

CallObject::CallObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CallObject>(info) {
    auto [loaded, call] = take_payload<CallPayload>(info.Env());
    loaded_ = std::move(loaded);
    call_ = std::move(call);
    tag<CallObject>(info.This().As<Napi::Object>());
}

CallObject::~CallObject() {
    if (call_ && !is_done_) loaded_->engine->cancel(*call_, FinishReason::cancelled, n_drained_);
}

Call& CallObject::alive() const {
    if (!call_) fail(ErrorCode::disposed, "The call was released.");
    return *call_;
}

Napi::Value CallObject::drain(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Env env = info.Env();
        Call& call = alive();
        const Drained drained = loaded_->engine->drain(call);
        is_done_ = drained.state == CallState::done;
        // Its blocks are used from now on. Nothing is reported for a model whose object has gone.
        if (is_done_ && loaded_->reported_bytes > 0) report_memory(env, *loaded_);
        n_drained_ += std::ssize(drained.tokens);
        // Every call that waits looks here at each wake-up, whosever the news are.
        if (!is_done_ && drained.tokens.empty() && drained.state != CallState::awaiting_scores)
            return env.Undefined();
        const bool has_logprobs = call.request.n_logprobs >= 0;
        Napi::Object object = Napi::Object::New(env);
        set_tokens(env, object, drained.tokens, has_logprobs);
        if (!drained.outputs.empty()) object.Set("beams", to_beams(env, drained.outputs, has_logprobs));
        object.Set("reusedTokens", to_number(env, drained.n_reused));
        object.Set("state", kStateNames[static_cast<std::int32_t>(drained.state)]);
        object.Set("finishReason", kFinishNames[static_cast<std::int32_t>(drained.finish)]);
        if (drained.error) object.Set("error", to_js_error(env, *drained.error).Value());
        Napi::Object timings = Napi::Object::New(env);
        timings.Set("queueMs", drained.timings.queue_ms);
        timings.Set("prefillMs", drained.timings.prefill_ms);
        timings.Set("decodeMs", drained.timings.decode_ms);
        timings.Set("draftedTokens", static_cast<double>(drained.timings.n_drafted));
        timings.Set("acceptedTokens", static_cast<double>(drained.timings.n_accepted));
        object.Set("timings", timings);
        return object;
    });
}

Napi::Value CallObject::cancel(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const FinishReason reason = finish_from_name(read_string(info[0], "reason"));
        loaded_->engine->cancel(alive(), reason, read_integer(info[1], "keepTokens"));
        return info.Env().Undefined();
    });
}

Napi::Value CallObject::scores(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        return to_float32_array(info.Env(), loaded_->engine->scores(alive()));
    });
}

Napi::Value CallObject::submit_scores(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        loaded_->engine->submit_scores(alive(), read_floats(info[0], "scores"));
        return info.Env().Undefined();
    });
}

Napi::Value CallObject::result(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Call& call = alive();
        // Done calls are not touched by the engine any more, so they are read without its mutex.
        if (!is_done_) fail(ErrorCode::busy, "The call is still running.");
        Napi::Object object = Napi::Object::New(info.Env());
        object.Set("logits", to_float32_array(info.Env(), call.logits));
        object.Set("hidden", to_float32_array(info.Env(), call.hidden));
        object.Set("targetLogprobs", to_float32_array(info.Env(), call.target_logprobs));
        return object;
    });
}

Napi::Value CallObject::release(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        if (call_ && !is_done_) loaded_->engine->cancel(*call_, FinishReason::cancelled, n_drained_);
        call_.reset();
        return info.Env().Undefined();
    });
}

}  // namespace neox
