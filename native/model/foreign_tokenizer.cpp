#include "model/foreign_tokenizer.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "checkpoint/bpe.h"
#include "checkpoint/json.h"
#include "checkpoint/spiece.h"

namespace neox {
namespace {

using Strings = std::vector<std::string>;

const Strings* find_strings(const GgufFile& file, const char* key) {
    const GgufValue* value = file.find(key);
    const auto* array = value ? std::get_if<GgufArray>(&value->value) : nullptr;
    return array && array->element == GgufType::string ? &array->strings : nullptr;
}

const Strings& get_strings(const GgufFile& file, const char* key) {
    const Strings* strings = find_strings(file, key);
    if (!strings) fail(ErrorCode::format_missing, key, " is missing");
    return *strings;
}

// Types by id; older files have none.
std::vector<PieceType> token_types(const GgufFile& file, std::size_t n_tokens) {
    std::vector<PieceType> types(n_tokens, PieceType::normal);
    const GgufValue* value = file.find("tokenizer.ggml.token_type");
    if (!value) return types;
    const auto numbers = value->as_i32_array();
    if (!numbers || numbers->size() != n_tokens)
        fail(ErrorCode::format_type, "tokenizer.ggml.token_type is no number for each of ", n_tokens,
             " tokens");
    for (std::size_t id = 0; id < n_tokens; ++id) {
        const std::int32_t type = (*numbers)[id];
        if (type < 1 || type > 6)
            fail(ErrorCode::format_value, "tokenizer.ggml.token_type of token ", id, " is ", type);
        types[id] = static_cast<PieceType>(type);
    }
    return types;
}

// The id that a key names, or `otherwise`; -1 where no token has it.
std::int32_t special_id(const GgufFile& file, const char* name, std::size_t n_tokens,
                        std::int32_t otherwise) {
    const auto id = file.find_u32(text("tokenizer.ggml.", name, "_token_id"));
    if (id) return *id < n_tokens ? static_cast<std::int32_t>(*id) : -1;
    return otherwise >= 0 && static_cast<std::size_t>(otherwise) < n_tokens ? otherwise : -1;
}

// A row without a token, as converters name it.
bool is_padding(const std::string& token, std::size_t id, PieceType type) {
    return type == PieceType::unused && token == text("[PAD", id, "]");
}

struct Named {
    const char* config_key;
    const char* gguf_name;
};
// The word is spelt so.
constexpr Named kNamed[] = {{"bos_token", "bos"},       {"eos_token", "eos"},     {"unk_token", "unknown"},
                            {"sep_token", "seperator"}, {"pad_token", "padding"}, {"cls_token", "cls"},
                            {"mask_token", "mask"}};

// `otherwise`: ids by the position in kNamed.
std::string named_tokens(const GgufFile& file, const Strings& tokens,
                         const std::array<std::int32_t, 7>& otherwise) {
    std::string config;
    for (std::size_t i = 0; i < std::size(kNamed); ++i) {
        const std::int32_t id = special_id(file, kNamed[i].gguf_name, tokens.size(), otherwise[i]);
        config += text(",\"", kNamed[i].config_key, "\":");
        config += id < 0 ? "null" : json_quote(tokens[static_cast<std::size_t>(id)]);
    }
    return config;
}

SpieceNormalizer read_normalizer(const GgufFile& file) {
    SpieceNormalizer normalizer;
    normalizer.add_dummy_prefix = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(false);
    normalizer.remove_extra_whitespaces =
        file.find_bool("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
    if (const GgufValue* charsmap = file.find("tokenizer.ggml.precompiled_charsmap")) {
        const auto* array = std::get_if<GgufArray>(&charsmap->value);
        if (!array || (array->element != GgufType::u8 && array->element != GgufType::i8))
            fail(ErrorCode::format_type, "tokenizer.ggml.precompiled_charsmap is no array of bytes");
        normalizer.charsmap = array->bytes;
    }
    return normalizer;
}

void rebuild_spiece(const GgufFile& file, ModelText& texts) {
    const Strings& tokens = get_strings(file, "tokenizer.ggml.tokens");
    const std::vector<PieceType> types = token_types(file, tokens.size());
    const GgufValue* scores = file.find("tokenizer.ggml.scores");
    const auto numbers = scores ? scores->as_f32_array() : std::nullopt;
    if (!numbers || numbers->size() != tokens.size())
        fail(ErrorCode::format_type, "tokenizer.ggml.scores is no number for each of ", tokens.size(),
             " tokens");
    SpieceModel model;
    std::size_t n_bytes = 0;
    std::size_t n_pieces = tokens.size();
    while (n_pieces > 0 && is_padding(tokens[n_pieces - 1], n_pieces - 1, types[n_pieces - 1])) --n_pieces;
    for (std::size_t id = 0; id < n_pieces; ++id) {
        n_bytes += types[id] == PieceType::byte;
        model.pieces.push_back({tokens[id], (*numbers)[id], types[id]});
        if (types[id] == PieceType::unknown) model.unk_id = static_cast<std::int32_t>(id);
    }
    // llama.cpp's defaults for ids that a file lacks.
    model.byte_fallback = n_bytes > 0;
    model.bos_id = special_id(file, "bos", n_pieces, -1);
    model.eos_id = special_id(file, "eos", n_pieces, 1);
    model.pad_id = special_id(file, "padding", n_pieces, 0);
    model.normalizer = read_normalizer(file);
    validate_spiece(model);
    texts.spiece = write_spiece(model);
    // No text becomes a control piece of itself: whoever has one means it as a special token. T5's sentinels are none of a
    // GPT-NeoX model's.
    std::string controls;
    for (const SpiecePiece& piece : model.pieces)
        if (piece.type == PieceType::control && piece.text.find("<extra_id_") == std::string::npos)
            controls += (controls.empty() ? "" : ",") + json_quote(piece.text);
    texts.tokenizer_config =
        text("{\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":0,\"additional_special_tokens\":[", controls,
             "]", named_tokens(file, tokens, {-1, 1, model.unk_id, -1, 0, -1, -1}), "}");
}

// How the family's files cut words, by llama.cpp's name. Older files, and those whose converter did not know the
// tokenizer, are taken for GPT-NeoX-20B's, the family's most common.
std::string known_pre(const std::string& pre) {
    for (const char* name : {"", "default", "olmo", "mpt"})
        if (pre == name) return "olmo";
    for (const char* name : {"gpt-2", "phi-2", "jais", "trillion"})
        if (pre == name) return "gpt-2";
    for (const char* name : {"starcoder", "refact", "codeshell", "smollm"})
        if (pre == name) return "starcoder";
    fail(ErrorCode::unsupported, "tokenizer.ggml.pre is '", printable(pre), "', which is not supported");
}

void rebuild_bpe(const GgufFile& file, ModelText& texts) {
    const Strings& tokens = get_strings(file, "tokenizer.ggml.tokens");
    const std::vector<PieceType> types = token_types(file, tokens.size());
    BpeModel model;
    model.pre = known_pre(file.find_string("tokenizer.ggml.pre").value_or(""));
    model.merges = get_strings(file, "tokenizer.ggml.merges");
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        if (types[id] == PieceType::unused) continue;
        const bool is_added = types[id] == PieceType::control || types[id] == PieceType::user_defined;
        model.tokens.push_back(
            {static_cast<std::int32_t>(id), tokens[id], is_added ? types[id] : PieceType::normal});
    }
    const auto flag = [&](const char* name) {
        const bool value = file.find_bool(text("tokenizer.ggml.", name)).value_or(false);
        return text(",\"", name, "\":", value ? "true" : "false");
    };
    std::string json = write_tokenizer_json(model);
    check_tokenizer_json(json);
    texts.tokenizer_config =
        text("{\"tokenizer_class\":\"GPTNeoXTokenizer\"", flag("add_bos_token"), flag("add_eos_token"),
             ",\"add_prefix_space\":",
             file.find_bool("tokenizer.ggml.add_space_prefix").value_or(false) ? "true" : "false",
             named_tokens(file, tokens, {-1, -1, -1, -1, -1, -1, -1}), "}");
    texts.tokenizer_json = std::move(json);
}

}  // namespace

void rebuild_tokenizer(const GgufFile& file, ModelText& texts) {
    try {
        const std::string model = file.find_string("tokenizer.ggml.model").value_or("none");
        if (model == "t5") return rebuild_spiece(file, texts);
        if (model == "gpt2") return rebuild_bpe(file, texts);
        if (model != "none" && model != "no_vocab")
            texts.tokenizer_note =
                text("tokenizer.ggml.model is '", printable(model), "', which is not supported.");
    } catch (const Error& e) {
        texts.tokenizer_note = text("The tokenizer could not be rebuilt: ", e.what());
        if (!texts.tokenizer_note.ends_with('.')) texts.tokenizer_note += ".";
    }
}

}  // namespace neox
