#include "jobs/tokenizer_metadata.h"

#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "checkpoint/json.h"
#include "model/gguf_source.h"

namespace neox {
namespace {

constexpr float kPaddingScore = -10000.0f;
constexpr float kAddedScore = -1000.0f;

GgufValue u32(std::int32_t value) { return GgufValue::u32(static_cast<std::uint32_t>(value)); }

// Ids of the tokenizer itself; -1: none.
struct SpecialIds {
    std::int32_t unk = -1, bos = -1, eos = -1, pad = -1;
};

void set_special_ids(GgufFile& file, const Config& config, const SpecialIds& own) {
    const auto set_id = [&](const char* key, std::int32_t id, std::int32_t otherwise) {
        if (id < 0) id = otherwise;
        if (id >= 0) file.set(key, u32(id));
    };
    set_id("tokenizer.ggml.bos_token_id", config.bos, own.bos);
    set_id("tokenizer.ggml.eos_token_id", config.eos, own.eos);
    set_id("tokenizer.ggml.unknown_token_id", config.unk, own.unk);
    set_id("tokenizer.ggml.padding_token_id", config.pad, own.pad);
    // Where the configuration has none, the tokenizer's id above must not become the model's.
    const auto set_none = [&](const char* own_key, std::int32_t id, std::int32_t otherwise) {
        if (id < 0 && otherwise >= 0) file.set(own_key, u32(-1));
    };
    set_none(kKeyBosId, config.bos, own.bos);
    set_none(kKeyEosId, config.eos, own.eos);
    set_none(kKeyPadId, config.pad, own.pad);
}

// The tokens of all rows; those that are not set are padding.
class Vocabulary {
public:
    explicit Vocabulary(std::int32_t n_rows)
        : tokens_(static_cast<std::size_t>(n_rows)), scores_(tokens_.size(), kPaddingScore),
          types_(tokens_.size(), static_cast<std::int32_t>(PieceType::unused)), is_set_(tokens_.size()) {}

    void set(std::size_t id, const std::string& token, float score, PieceType type) {
        if (id >= tokens_.size())
            fail(ErrorCode::format_shape, "The tokenizer has a token ", id, ", but the embedding only ",
                 tokens_.size(), " rows.");
        tokens_[id] = token;
        scores_[id] = score;
        types_[id] = static_cast<std::int32_t>(type);
        is_set_[id] = true;
    }

    // llama.cpp ends the process at a token that occurs twice.
    void write(GgufFile& file) && {
        std::unordered_set<std::string> seen;
        for (std::size_t id = 0; id < tokens_.size(); ++id)
            if (is_set_[id] && !seen.insert(tokens_[id]).second)
                fail(ErrorCode::format_duplicate, "The tokenizer has the token '", printable(tokens_[id]),
                     "' twice, the second time as id ", id, ".");
        for (std::size_t id = 0; id < tokens_.size(); ++id) {
            if (is_set_[id]) continue;
            tokens_[id] = text("[PAD", id, "]");
            while (!seen.insert(tokens_[id]).second) tokens_[id] += "_";
        }
        file.set("tokenizer.ggml.tokens", GgufValue::strings(std::move(tokens_)));
        file.set("tokenizer.ggml.scores", GgufValue::f32_array(scores_));
        file.set("tokenizer.ggml.token_type", GgufValue::i32_array(types_));
    }

private:
    std::vector<std::string> tokens_;
    std::vector<float> scores_;
    std::vector<std::int32_t> types_;
    std::vector<bool> is_set_;
};

void set_t5(GgufFile& file, const SpieceModel& model, const Config& config) {
    if (model.pieces.size() > static_cast<std::size_t>(config.n_vocab))
        fail(ErrorCode::format_shape, "The tokenizer has ", model.pieces.size(),
             " pieces, but the embedding only ", config.n_vocab, " rows.");
    Vocabulary vocabulary(config.n_vocab);
    SpecialIds own{-1, model.bos_id, model.eos_id, model.pad_id};
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
        const SpiecePiece& piece = model.pieces[id];
        vocabulary.set(id, piece.text, piece.score, piece.type);
        if (piece.type == PieceType::unknown) own.unk = static_cast<std::int32_t>(id);
    }
    file.set("tokenizer.ggml.model", GgufValue::string("t5"));
    file.set("tokenizer.ggml.pre", GgufValue::string("default"));
    std::move(vocabulary).write(file);
    set_special_ids(file, config, own);
    // Absent, llama.cpp takes T5's values: an end of text after every prompt.
    file.set("tokenizer.ggml.add_bos_token", GgufValue::boolean(false));
    file.set("tokenizer.ggml.add_eos_token", GgufValue::boolean(false));
    file.set("tokenizer.ggml.add_space_prefix", GgufValue::boolean(model.normalizer.add_dummy_prefix));
    file.set("tokenizer.ggml.remove_extra_whitespaces",
             GgufValue::boolean(model.normalizer.remove_extra_whitespaces));
    if (!model.normalizer.charsmap.empty())
        file.set("tokenizer.ggml.precompiled_charsmap", GgufValue::u8_array(model.normalizer.charsmap));
}

// Of a member of tokenizer_config.json that may be missing.
bool is_true(const JsonValue& root, const char* key) {
    const JsonValue* value = root.find_set(key);
    return value && value->is_bool() && value->as_bool(key);
}

void set_gpt2(GgufFile& file, BpeModel model, const Config& config, const JsonValue& tokenizer_config) {
    Vocabulary vocabulary(config.n_vocab);
    for (const BpeToken& token : model.tokens)
        vocabulary.set(static_cast<std::size_t>(token.id), token.text,
                       token.type == PieceType::normal ? 0.0f : kAddedScore, token.type);
    file.set("tokenizer.ggml.model", GgufValue::string("gpt2"));
    file.set("tokenizer.ggml.pre", GgufValue::string(model.pre));
    std::move(vocabulary).write(file);
    file.set("tokenizer.ggml.merges", GgufValue::strings(std::move(model.merges)));
    set_special_ids(file, config, SpecialIds{});
    for (const char* flag : {"add_bos_token", "add_eos_token"})
        file.set(text("tokenizer.ggml.", flag), GgufValue::boolean(is_true(tokenizer_config, flag)));
    file.set("tokenizer.ggml.add_space_prefix",
             GgufValue::boolean(is_true(tokenizer_config, "add_prefix_space")));
}

}  // namespace

void set_chat_template(GgufFile& file, const ModelText& texts, const std::string& given) {
    std::string chat_template = given;
    if (chat_template.empty() && texts.has_tokenizer()) {
        const JsonValue tokenizer_config = parse_tokenizer_config(texts.tokenizer_config);
        const JsonValue* own = tokenizer_config.find_set("chat_template");
        if (own && own->is_string()) chat_template = own->as_string("chat_template");
    }
    if (!chat_template.empty()) file.set("tokenizer.chat_template", GgufValue::string(chat_template));
}

void set_tokenizer_keys(GgufFile& file, const ModelText& texts, const ParsedConfig& parsed) {
    const Config& config = parsed.config;
    if (!texts.spiece.empty()) {
        const SpieceModel model = parse_spiece(texts.spiece);
        validate_spiece(model);
        return set_t5(file, model, config);
    }
    std::optional<BpeModel> bpe;
    if (!texts.tokenizer_json.empty()) bpe = parse_tokenizer_json(texts.tokenizer_json);
    if (bpe) {
        const JsonValue tokenizer_config = parse_tokenizer_config(texts.tokenizer_config);
        add_config_tokens(*bpe, tokenizer_config);
        return set_gpt2(file, std::move(*bpe), config, tokenizer_config);
    }
    file.set("tokenizer.ggml.model", GgufValue::string("none"));
    set_special_ids(file, config, SpecialIds{});
}

}  // namespace neox
