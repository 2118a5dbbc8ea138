#include "binding/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "binding/environment.h"
#include "binding/values.h"
#include "checkpoint/bpe.h"
#include "gguf/gguf.h"
#include "model/gguf_source.h"
#include "model/hf_source.h"

namespace neox {

namespace {

Napi::Array to_js_strings(Napi::Env env, const std::vector<std::string>& strings) {
    Napi::Array list = Napi::Array::New(env, strings.size());
    for (std::uint32_t i = 0; i < strings.size(); ++i) list.Set(i, strings[i]);
    return list;
}

// Reads the tokenizer's files alone, so a directory needs no weights.
ModelText read_text(const std::string& path) {
    return is_directory(path) ? text_from_folder(path) : text_from_gguf(read_gguf(File(path)));
}

}  // namespace

Napi::Function TokenizerObject::define(Napi::Env env) {
    return DefineClass(
        env, "NativeTokenizer",
        {InstanceMethod("flags", &TokenizerObject::flags), InstanceMethod("size", &TokenizerObject::size),
         InstanceMethod("piece", &TokenizerObject::piece), InstanceMethod("types", &TokenizerObject::types),
         InstanceMethod("pieceToId", &TokenizerObject::piece_to_id),
         InstanceMethod("encode", &TokenizerObject::encode),
         InstanceMethod("tokenize", &TokenizerObject::tokenize),
         InstanceMethod("withoutDummyPrefix", &TokenizerObject::without_dummy_prefix)});
}

TokenizerObject::TokenizerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TokenizerObject>(info),
      tokenizer_(take_payload<std::shared_ptr<const Tokenizer>>(info.Env())) {
    tag<TokenizerObject>(info.This().As<Napi::Object>());
}

Napi::Value TokenizerObject::flags(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Tokenizer::Flags& flags = tokenizer_->flags();
        Napi::Object object = Napi::Object::New(info.Env());
        object.Set("addDummyPrefix", flags.add_dummy_prefix);
        object.Set("removeExtraWhitespaces", flags.remove_extra_whitespaces);
        object.Set("byteFallback", flags.byte_fallback);
        object.Set("hasDenormalizer", flags.has_denormalizer);
        object.Set("unkSurface", flags.unk_surface);
        return object;
    });
}

Napi::Value TokenizerObject::size(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), tokenizer_->size()); });
}

Napi::Value TokenizerObject::piece(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const std::int64_t id = read_integer(info[0], "id");
        if (id < 0 || id >= tokenizer_->size())
            fail(ErrorCode::invalid_argument, "id must be that of one of the ", tokenizer_->size(),
                 " pieces, not ", id, ".");
        return Napi::String::New(info.Env(), tokenizer_->piece(static_cast<std::int32_t>(id)));
    });
}

Napi::Value TokenizerObject::types(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const std::int32_t n = tokenizer_->size();
        auto list = Napi::Uint8Array::New(info.Env(), static_cast<std::size_t>(n));
        for (std::int32_t i = 0; i < n; ++i)
            list[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(tokenizer_->type(i));
        return list;
    });
}

Napi::Value TokenizerObject::piece_to_id(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        return Napi::Number::New(info.Env(), tokenizer_->id(read_string(info[0], "piece")));
    });
}

Napi::Value TokenizerObject::encode(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        return to_int32_array(info.Env(), tokenizer_->encode(read_string(info[0], "text")));
    });
}

Napi::Value TokenizerObject::tokenize(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        return to_js_strings(info.Env(), tokenizer_->tokenize(read_string(info[0], "text")));
    });
}

Napi::Value TokenizerObject::without_dummy_prefix(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        auto other = std::make_shared<const Tokenizer>(tokenizer_->without_dummy_prefix());
        return construct(info.Env(), Environment::of(info.Env()).tokenizer_class, std::move(other));
    });
}

std::shared_ptr<const Tokenizer> make_tokenizer(const ModelText& text) {
    if (!text.spiece.empty()) return std::make_shared<const Tokenizer>(text.spiece);
    if (!text.tokenizer_json.empty()) check_tokenizer_json(text.tokenizer_json);
    return nullptr;
}

Napi::Value to_js_tokenizer(Napi::Env env, const ModelText& text,
                            const std::shared_ptr<const Tokenizer>& tokenizer) {
    Napi::Object object = Napi::Object::New(env);
    if (tokenizer) object.Set("pieces", construct(env, Environment::of(env).tokenizer_class, tokenizer));
    object.Set("tokenizerJson", text.tokenizer_json);
    object.Set("config", text.tokenizer_config);
    object.Set("specialTokensMap", text.special_tokens_map);
    object.Set("addedTokens", text.added_tokens);
    return object;
}

Napi::Value load_tokenizer(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        auto work = [path = read_string(info[0], "path")](TaskControl&) -> TaskResult {
            auto text = std::make_shared<const ModelText>(read_text(path));
            if (!text->has_tokenizer())
                fail(ErrorCode::no_tokenizer, "'", path, "' has no tokenizer",
                     text->tokenizer_note.empty() ? "." : ": " + text->tokenizer_note);
            auto tokenizer = make_tokenizer(*text);
            return [tokenizer, text](Napi::Env env) -> Napi::Value {
                return to_js_tokenizer(env, *text, tokenizer);
            };
        };
        return Environment::of(info.Env()).tasks.start(info.Env(), std::move(work));
    });
}

}  // namespace neox
