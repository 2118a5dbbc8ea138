#include "jobs/metadata.h"

#include <unordered_set>

#include "base/error.h"
#include "model/gguf_source.h"

namespace neox {
namespace {

constexpr float kPaddingScore = -10000.0f;

GgufValue u32(std::int32_t value) { return GgufValue::u32(static_cast<std::uint32_t>(value)); }

void set_id(GgufFile& file, const char* key, std::int32_t id, std::int32_t otherwise) {
    if (id < 0) id = otherwise;
    if (id >= 0) file.set(key, u32(id));
}

void set_special_ids(GgufFile& file, const ParsedConfig& parsed, const SpieceModel& model) {
    std::int32_t unk = -1;
    for (std::size_t id = 0; id < model.pieces.size(); ++id)
        if (model.pieces[id].type == PieceType::unknown) unk = static_cast<std::int32_t>(id);
    set_id(file, "tokenizer.ggml.bos_token_id", parsed.config.bos, model.bos_id);
    set_id(file, "tokenizer.ggml.eos_token_id", parsed.config.eos, model.eos_id);
    set_id(file, "tokenizer.ggml.unknown_token_id", parsed.config.unk, unk);
    set_id(file, "tokenizer.ggml.padding_token_id", parsed.config.pad, model.pad_id);
    // Where the configuration has none, the tokenizer's id above must not become the model's.
    const auto set_none = [&](const char* own_key, std::int32_t id, std::int32_t otherwise) {
        if (id < 0 && otherwise >= 0) file.set(own_key, u32(-1));
    };
    set_none(kKeyBosId, parsed.config.bos, model.bos_id);
    set_none(kKeyEosId, parsed.config.eos, model.eos_id);
    set_none(kKeyPadId, parsed.config.pad, model.pad_id);
}

void set_text(GgufFile& file, const char* key, const std::string& value) {
    if (!value.empty()) file.set(key, GgufValue::string(value));
}

}  // namespace

void set_model_keys(GgufFile& file, const std::string& name, const ParsedConfig& parsed) {
    const Config& config = parsed.config;
    file.set("general.architecture", GgufValue::string("gptneox"));
    file.set("general.type", GgufValue::string("model"));
    set_text(file, "general.name", name);
    file.set("gptneox.context_length", u32(config.n_ctx_train));
    file.set("gptneox.embedding_length", u32(config.n_embd));
    file.set("gptneox.block_count", u32(config.n_layer));
    file.set("gptneox.feed_forward_length", u32(config.n_ff));
    file.set("gptneox.attention.head_count", u32(config.n_head));
    file.set("gptneox.attention.layer_norm_epsilon", GgufValue::f32(config.norm_eps));
    file.set("gptneox.use_parallel_residual", GgufValue::boolean(config.parallel_residual != 0));
    file.set("gptneox.rope.dimension_count", u32(config.n_rot));
    file.set("gptneox.rope.freq_base", GgufValue::f32(config.rope_base));
    if (config.rope_scaling == RopeScaling::linear) {
        file.set("gptneox.rope.scaling.type", GgufValue::string("linear"));
        file.set("gptneox.rope.scaling.factor", GgufValue::f32(config.rope_factor));
    } else if (config.rope_scaling == RopeScaling::dynamic) {
        // llama.cpp stops at a name that it does not know; without scaling it is right up to the trained
        // length.
        file.set("neox.rope.scaling.type", GgufValue::string("dynamic"));
        file.set("neox.rope.scaling.factor", GgufValue::f32(config.rope_factor));
    }
    file.set("gptneox.vocab_size", u32(config.n_vocab));
}

void set_tokenizer_keys(GgufFile& file, const SpieceModel& model, const ParsedConfig& parsed) {
    const auto n_vocab = static_cast<std::size_t>(parsed.config.n_vocab);
    if (model.pieces.size() > n_vocab)
        fail(ErrorCode::format_shape, "The tokenizer has ", model.pieces.size(),
             " pieces, but the embedding only ", n_vocab, " rows.");
    std::vector<std::string> tokens;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    std::unordered_set<std::string> seen;
    const auto add = [&](const std::string& token, float score, PieceType type) {
        tokens.push_back(token);
        scores.push_back(score);
        types.push_back(static_cast<std::int32_t>(type));
        seen.insert(token);
    };
    for (const SpiecePiece& piece : model.pieces) add(piece.text, piece.score, piece.type);
    for (std::size_t id = model.pieces.size(); id < n_vocab; ++id) {
        std::string token = text("[PAD", id, "]");
        while (seen.contains(token)) token += "_";
        add(token, kPaddingScore, PieceType::unused);
    }
    file.set("tokenizer.ggml.model", GgufValue::string("t5"));
    file.set("tokenizer.ggml.pre", GgufValue::string("default"));
    file.set("tokenizer.ggml.tokens", GgufValue::strings(std::move(tokens)));
    file.set("tokenizer.ggml.scores", GgufValue::f32_array(scores));
    file.set("tokenizer.ggml.token_type", GgufValue::i32_array(types));
    set_special_ids(file, parsed, model);
    // Absent, llama.cpp takes T5's values: an end of text after every prompt.
    file.set("tokenizer.ggml.add_bos_token", GgufValue::boolean(false));
    file.set("tokenizer.ggml.add_eos_token", GgufValue::boolean(false));
    file.set("tokenizer.ggml.add_space_prefix", GgufValue::boolean(model.normalizer.add_dummy_prefix));
    file.set("tokenizer.ggml.remove_extra_whitespaces",
             GgufValue::boolean(model.normalizer.remove_extra_whitespaces));
    if (!model.normalizer.charsmap.empty())
        file.set("tokenizer.ggml.precompiled_charsmap", GgufValue::u8_array(model.normalizer.charsmap));
}

void set_no_tokenizer_keys(GgufFile& file, const ParsedConfig& parsed) {
    file.set("tokenizer.ggml.model", GgufValue::string("none"));
    SpieceModel none;
    none.bos_id = none.eos_id = none.pad_id = -1;
    set_special_ids(file, parsed, none);
}

void set_own_keys(GgufFile& file, const ParsedConfig& parsed, const ModelText& texts) {
    const bool is_tanh = parsed.config.hidden_act == HiddenAct::gelu_tanh;
    file.set(kKeyHiddenAct, GgufValue::string(is_tanh ? "gelu_new" : "gelu"));
    if (parsed.eos_ids.size() > 1) file.set(kKeyEosIds, GgufValue::i32_array(parsed.eos_ids));
    if (!texts.spiece.empty()) file.set(kKeySpiece, GgufValue::u8_array(texts.spiece));
    set_text(file, kKeyTokenizerConfig, texts.tokenizer_config);
    set_text(file, kKeyGenerationConfig, texts.generation_config);
    set_text(file, kKeyChatFormat, texts.chat_format);
}

}  // namespace neox
