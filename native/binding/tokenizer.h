// NativeTokenizer: sentencepiece as lib/tokenizer.ts sees it (lib/native-types.ts).
#pragma once

#include <memory>

#include "binding/napi_setup.h"
#include "model/source.h"
#include "tokenizer/tokenizer.h"

namespace neox {

class TokenizerObject : public Napi::ObjectWrap<TokenizerObject> {
public:
    static constexpr napi_type_tag kTag{0x5be20c94f7d81a36, 0xe3a94f5d0b7261c8};
    static Napi::Function define(Napi::Env env);
    explicit TokenizerObject(const Napi::CallbackInfo& info);

private:
    Napi::Value flags(const Napi::CallbackInfo& info);
    Napi::Value size(const Napi::CallbackInfo& info);
    Napi::Value piece(const Napi::CallbackInfo& info);
    Napi::Value types(const Napi::CallbackInfo& info);
    Napi::Value piece_to_id(const Napi::CallbackInfo& info);
    Napi::Value encode(const Napi::CallbackInfo& info);
    Napi::Value tokenize(const Napi::CallbackInfo& info);
    Napi::Value without_dummy_prefix(const Napi::CallbackInfo& info);

    std::shared_ptr<const Tokenizer> tokenizer_;
};

// Sentencepiece of a checkpoint; null where it has none. Checks that a tokenizer.json is bounded JSON, before lib/ reads
// it. Takes its time: not on the JavaScript thread. Throws the format codes.
std::shared_ptr<const Tokenizer> make_tokenizer(const ModelText& text);

// TokenizerFiles of lib/native-types.ts: sentencepiece, if there is one, and the texts.
Napi::Value to_js_tokenizer(Napi::Env env, const ModelText& text,
                            const std::shared_ptr<const Tokenizer>& tokenizer);

// loadTokenizer(path): a promise of TokenizerFiles; ERR_NEOX_NO_TOKENIZER where there is none.
Napi::Value load_tokenizer(const Napi::CallbackInfo& info);

}  // namespace neox
