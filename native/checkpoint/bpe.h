// tokenizer.json of a byte-level BPE tokenizer, as far as GGUF has keys for it. What the file means in full, lib/ reads; here it is
// bounded, taken apart for llama.cpp's keys, and made anew from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/json.h"
#include "checkpoint/spiece.h"

namespace neox {

// A text of GGUF holds no more.
inline constexpr std::size_t kTokenizerJsonLargest = std::size_t{16} << 20;
inline constexpr std::size_t kTokenizerJsonMostValues = 2'000'000;

struct BpeToken {
    std::int32_t id = 0;
    std::string text;                    // of added tokens as it is, of others with characters for bytes
    PieceType type = PieceType::normal;  // control: special; user_defined: added, but not special
};

struct BpeModel {
    std::vector<BpeToken> tokens;     // in no order, ids different
    std::vector<std::string> merges;  // "left right"
    // llama.cpp's name for how text is cut into words; all with GPT-2's pattern: "gpt-2", "olmo" after
    // normalization to NFC, "starcoder" with each digit apart.
    std::string pre = "gpt-2";
};

// Throws ERR_NEOX_FORMAT_SYNTAX, _DUPLICATE or _LIMIT for a text that is no JSON of bounded size and depth, _TYPE
// when it is no object.
void check_tokenizer_json(std::string_view json);

// nullopt: the tokenizer is of another kind, or GGUF cannot say it. Throws what check_tokenizer_json() throws, and
// ERR_NEOX_FORMAT_TYPE or _VALUE.
std::optional<BpeModel> parse_tokenizer_json(std::string_view json);

// tokenizer_config.json within the same bounds; null for an empty text. Throws what parse_json() throws.
JsonValue parse_tokenizer_config(std::string_view json);

// Adds the tokens that `added_tokens_decoder` of a tokenizer_config.json has beyond. Throws as above.
void add_config_tokens(BpeModel& model, const JsonValue& tokenizer_config);

// A file with the model's tokens, each id in the vocabulary, and its merges.
std::string write_tokenizer_json(const BpeModel& model);

}  // namespace neox
