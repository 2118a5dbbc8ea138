#include "jobs/metadata.h"

#include "base/error.h"
#include "model/gguf_source.h"

namespace neox {
namespace {

GgufValue u32(std::int32_t value) { return GgufValue::u32(static_cast<std::uint32_t>(value)); }

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

void set_own_keys(GgufFile& file, const ParsedConfig& parsed, const ModelText& texts) {
    const bool is_tanh = parsed.config.hidden_act == HiddenAct::gelu_tanh;
    file.set(kKeyHiddenAct, GgufValue::string(is_tanh ? "gelu_new" : "gelu"));
    if (parsed.eos_ids.size() > 1) file.set(kKeyEosIds, GgufValue::i32_array(parsed.eos_ids));
    if (!texts.spiece.empty()) file.set(kKeySpiece, GgufValue::u8_array(texts.spiece));
    set_text(file, kKeyTokenizerJson, texts.tokenizer_json);
    set_text(file, kKeyTokenizerConfig, texts.tokenizer_config);
    set_text(file, kKeySpecialTokensMap, texts.special_tokens_map);
    set_text(file, kKeyAddedTokens, texts.added_tokens);
    set_text(file, kKeyGenerationConfig, texts.generation_config);
    set_text(file, kKeyChatFormat, texts.chat_format);
}

}  // namespace neox
