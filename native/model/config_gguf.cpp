// GGUF metadata -> Config. Keys that llama.cpp requires are required here; the others have llama.cpp's
// defaults.
#include "base/error.h"
#include "base/printable.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/config_keys.h"
#include "model/gguf_source.h"

namespace neox {
namespace {

std::int32_t special_id(const GgufFile& file, const char* key) {
    const auto id = file.find_u32(key);
    if (!id) return -1;
    if (*id > 0x7FFFFFFFu) return -1;  // ggml's own way to write "none"
    return static_cast<std::int32_t>(*id);
}

// The project's own key comes first.
std::int32_t special_id(const GgufFile& file, const char* own_key, const char* key) {
    return special_id(file, file.find(own_key) ? own_key : key);
}

void refuse_unless_equal(const GgufFile& file, const char* key, std::int32_t expected) {
    const auto value = file.find_u32(key);
    if (value && static_cast<std::int64_t>(*value) != expected)
        fail(ErrorCode::unsupported, key, " is ", *value, "; GPT-NeoX has ", expected, " there.");
}

void read_rope(const GgufFile& file, Config& config) {
    const auto n_rot = file.find_u32("gptneox.rope.dimension_count");
    if (n_rot && *n_rot > static_cast<std::uint32_t>(config.n_embd))
        fail(ErrorCode::format_value, "gptneox.rope.dimension_count is ", *n_rot,
             ", more than the hidden size.");
    if (n_rot)
        config.n_rot = static_cast<std::int32_t>(*n_rot);
    else if (config.n_embd % config.n_head == 0)
        config.n_rot = config.head_dim();
    if (const auto base = file.find_f32("gptneox.rope.freq_base"))
        config.rope_base = checked_positive("gptneox.rope.freq_base", double{*base});

    // llama.cpp knows no dynamic scaling and refuses its name, so that has a key of its own.
    if (const auto own = file.find_string("neox.rope.scaling.type"); own && *own != "none") {
        if (*own != "dynamic")
            fail(ErrorCode::unsupported, "neox.rope.scaling.type is '", printable(*own),
                 "', which is not supported.");
        config.rope_scaling = RopeScaling::dynamic;
        config.rope_factor =
            checked_positive("neox.rope.scaling.factor", double{file.get_f32("neox.rope.scaling.factor")});
        return;
    }
    auto factor = file.find_f32("gptneox.rope.scaling.factor");
    if (!factor) factor = file.find_f32("gptneox.rope.scale_linear");
    const std::string type = file.find_string("gptneox.rope.scaling.type").value_or("linear");
    if (type == "none" || ((!factor || *factor == 0.0f) && type == "linear")) return;
    if (type != "linear")
        fail(ErrorCode::unsupported, "gptneox.rope.scaling.type is '", printable(type),
             "', which is not supported.");
    config.rope_scaling = RopeScaling::linear;
    config.rope_factor = checked_positive("gptneox.rope.scaling.factor", double{*factor});
    if (config.rope_factor == 1.0f) config.rope_scaling = RopeScaling::none;
}

std::int32_t embedding_rows(const GgufFile& file) {
    for (const Tensor& tensor : file.tensors) {
        if (tensor.name != "token_embd.weight") continue;
        if (tensor.n_rows() > static_cast<std::uint64_t>(kIntegerFields[0].max))
            fail(ErrorCode::format_value, "token_embd.weight has ", tensor.n_rows(), " rows; at most ",
                 kIntegerFields[0].max, " are accepted.");
        return static_cast<std::int32_t>(tensor.n_rows());
    }
    fail(ErrorCode::format_missing, "Tensor 'token_embd.weight' is missing.");
}

void read_special_ids(const GgufFile& file, ParsedConfig& parsed) {
    Config& config = parsed.config;
    config.bos = special_id(file, kKeyBosId, "tokenizer.ggml.bos_token_id");
    config.eos = special_id(file, kKeyEosId, "tokenizer.ggml.eos_token_id");
    config.pad = special_id(file, kKeyPadId, "tokenizer.ggml.padding_token_id");
    config.unk = special_id(file, "tokenizer.ggml.unknown_token_id");
    if (config.eos >= 0) parsed.eos_ids = {config.eos};
    if (const GgufValue* all = file.find(kKeyEosIds)) {
        const auto ids = all->as_i32_array();
        if (!ids || ids->empty()) fail(ErrorCode::format_type, kKeyEosIds, " must be an array of integers.");
        parsed.eos_ids = *ids;
        config.eos = ids->front();
    }
}

}  // namespace

ParsedConfig config_from_gguf(const GgufFile& file) {
    const std::string architecture = file.get_string("general.architecture");
    if (architecture != "gptneox")
        fail(ErrorCode::unsupported, "general.architecture is '", printable(architecture),
             "', which is not supported; gptneox is.");
    ParsedConfig parsed;
    Config& config = parsed.config;
    const auto note = [&](const char* key, const std::string& value, bool in_file) {
        parsed.origins.push_back({key, value, in_file ? "file" : "default"});
    };
    for (const IntegerField& field : kIntegerFields) {
        const std::int64_t value =
            field.gguf_key ? std::int64_t{file.get_u32(field.gguf_key)} : embedding_rows(file);
        config.*field.field =
            checked_field(field, field.gguf_key ? field.gguf_key : "rows of token_embd.weight", value);
        note(field.hf_key, text(value), true);
    }
    read_rope(file, config);
    note("rotary_emb_base", text(config.rope_base), file.find("gptneox.rope.freq_base") != nullptr);
    note("rotary_ndims", text(config.n_rot), file.find("gptneox.rope.dimension_count") != nullptr);
    const char* scaling = config.rope_scaling == RopeScaling::linear    ? "linear"
                          : config.rope_scaling == RopeScaling::dynamic ? "dynamic"
                                                                        : nullptr;
    note("rope_scaling",
         scaling ? text("{\"rope_type\": \"", scaling, "\", \"factor\": ", config.rope_factor, "}") : "null",
         scaling != nullptr);
    const auto act = file.find_string("neox.hidden_act");
    config.hidden_act = hidden_act_from_name(act.value_or("gelu"), "neox.hidden_act");
    note("hidden_act", text("\"", act.value_or("gelu"), "\""), act.has_value());
    config.norm_eps = checked_positive("gptneox.attention.layer_norm_epsilon",
                                       double{file.get_f32("gptneox.attention.layer_norm_epsilon")}, true);
    note("layer_norm_eps", text(config.norm_eps), true);
    config.parallel_residual = file.get_bool("gptneox.use_parallel_residual") ? 1 : 0;
    note("use_parallel_residual", config.parallel_residual ? "true" : "false", true);
    read_special_ids(file, parsed);
    const auto note_id = [&](const char* key, std::int32_t id) {
        note(key, id < 0 ? "null" : text(id), id >= 0);
    };
    note_id("bos_token_id", config.bos);
    note_id("eos_token_id", config.eos);
    note_id("pad_token_id", config.pad);
    check_config(parsed);
    refuse_unless_equal(file, "gptneox.attention.head_count_kv", config.n_head);
    refuse_unless_equal(file, "gptneox.attention.key_length", config.head_dim());
    refuse_unless_equal(file, "gptneox.attention.value_length", config.head_dim());
    return parsed;
}

}  // namespace neox
