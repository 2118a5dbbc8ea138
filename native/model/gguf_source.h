// A GGUF file as a source of tensors.
#pragma once

#include <memory>
#include <string>

#include "gguf/gguf.h"
#include "model/source.h"

namespace neox {

// Metadata of the project's own, beside llama.cpp's.
inline constexpr char kKeySpiece[] = "neox.tokenizer.spiece";           // array of u8: spiece.model
inline constexpr char kKeyTokenizerJson[] = "neox.tokenizer.json";      // string: tokenizer.json
inline constexpr char kKeyTokenizerConfig[] = "neox.tokenizer.config";  // string: tokenizer_config.json
inline constexpr char kKeySpecialTokensMap[] = "neox.tokenizer.special_tokens_map";  // string: ....json
inline constexpr char kKeyAddedTokens[] = "neox.tokenizer.added_tokens";             // string: ....json
inline constexpr char kKeyGenerationConfig[] = "neox.generation_config";             // string
inline constexpr char kKeyChatFormat[] = "neox.chat_format";                         // string
inline constexpr char kKeyQuantizedFrom[] = "neox.quantized_from";  // string: of a cached copy, its source
inline constexpr char kKeyHiddenAct[] = "neox.hidden_act";          // string: "gelu", "gelu_new"
inline constexpr char kKeyEosIds[] = "neox.eos_token_ids";          // array of i32, if several
// u32, 2^32 - 1: the model has no such token, though tokenizer.ggml.* names the tokenizer's.
inline constexpr char kKeyBosId[] = "neox.bos_token_id";
inline constexpr char kKeyEosId[] = "neox.eos_token_id";
inline constexpr char kKeyPadId[] = "neox.padding_token_id";

// The texts that the metadata holds. Without a tokenizer of the project's own, one is made from llama.cpp's keys.
ModelText text_from_gguf(const GgufFile& file);

// Checks that the tensors are exactly those of the configuration, by name and shape.
std::unique_ptr<TensorSource> open_gguf_source(const std::string& path);

}  // namespace neox
