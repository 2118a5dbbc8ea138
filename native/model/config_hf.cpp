// config.json -> Config. Every default is transformers 4.57.6's GPTNeoXConfig's.
#include <string_view>

#include "base/error.h"
#include "base/printable.h"
#include "checkpoint/json.h"
#include "model/config.h"
#include "model/config_keys.h"

namespace neox {
namespace {

class Fields {
public:
    Fields(const JsonValue& json, ParsedConfig& parsed) : json_(json), parsed_(parsed) {}

    // The member, noted as coming from the file; nullptr when absent, with the default noted.
    const JsonValue* find(const char* key, const std::string& default_text) {
        const JsonValue* value = json_.find(key);
        note(key, value, default_text);
        return value;
    }
    void note(const char* key, const JsonValue* value, const std::string& default_text) {
        parsed_.origins.push_back({key, value ? value->to_text() : default_text, value ? "file" : "default"});
    }
    std::int32_t id(const char* key, const JsonValue& value) const {
        const std::int64_t v = value.as_integer(key);
        // Some files write -1 for "none".
        if (v < -1 || v >= parsed_.config.n_vocab)
            fail(ErrorCode::format_value, key, " is ", v, ", outside the vocabulary of ",
                 parsed_.config.n_vocab, ".");
        return static_cast<std::int32_t>(v);
    }
    std::int32_t optional_id(const char* key, std::int32_t default_id) {
        const JsonValue* value = find(key, default_id < 0 ? "null" : text(default_id));
        if (!value) return default_id;
        return value->is_null() ? -1 : id(key, *value);
    }

private:
    const JsonValue& json_;
    ParsedConfig& parsed_;
};

void check_architecture(const JsonValue& json) {
    if (const JsonValue* type = json.find_set("model_type")) {
        if (type->as_string("model_type") != "gpt_neox")
            fail(ErrorCode::unsupported, "model_type is '", printable(type->as_string("model_type")),
                 "', which is not supported; gpt_neox is.");
    } else if (!json.find_set("architectures")) {
        fail(ErrorCode::format_missing, "config.json has neither model_type nor architectures.");
    }
    const JsonValue* architectures = json.find_set("architectures");
    if (!architectures) return;
    for (const JsonValue& name : architectures->as_array("architectures"))
        if (name.as_string("architectures") == "GPTNeoXForCausalLM" ||
            name.as_string("architectures") == "GPTNeoXModel")
            return;
    fail(ErrorCode::unsupported, "architectures is ", printable(architectures->to_text()),
         ", which is not supported; GPTNeoXForCausalLM is.");
}

// Scaling of positions: {"type" | "rope_type": ..., "factor": ...}; where both names occur, transformers
// takes "type".
void read_rope_scaling(const JsonValue& scaling, const char* key, Config& config) {
    scaling.as_object(key);
    const JsonValue* type = scaling.find_set("type");
    if (!type) type = scaling.find_set("rope_type");
    if (!type) fail(ErrorCode::format_missing, key, " has neither type nor rope_type.");
    const std::string& name = type->as_string(key);
    if (name == "default") return;
    if (name == "linear")
        config.rope_scaling = RopeScaling::linear;
    else if (name == "dynamic")
        config.rope_scaling = RopeScaling::dynamic;
    else
        fail(ErrorCode::unsupported, key, " has type '", printable(name),
             "', which is not supported; linear and dynamic are.");
    const JsonValue* factor = scaling.find_set("factor");
    if (!factor) fail(ErrorCode::format_missing, key, " has no factor.");
    config.rope_factor =
        checked_positive("The factor of rope_scaling", factor->as_number("The factor of rope_scaling"));
}

void read_rope(const JsonValue& json, Fields& fields, Config& config) {
    // transformers 5 gathers the three in rope_parameters; older files have keys of their own, which come
    // first.
    const JsonValue* parameters = json.find_set("rope_parameters");
    const auto pick = [&](const char* key, const char* newer, const char* default_text) {
        const JsonValue* value = json.find_set(key);
        if (!value && parameters) value = parameters->find_set(newer);
        if (!value) value = json.find_set(newer);
        fields.note(key, value, default_text);
        return value;
    };
    const JsonValue* base = pick("rotary_emb_base", "rope_theta", "10000");
    config.rope_base =
        base ? checked_positive("rotary_emb_base", base->as_number("rotary_emb_base")) : 10000.0f;
    const JsonValue* pct = pick("rotary_pct", "partial_rotary_factor", "0.25");
    const double rotary_pct = pct ? pct->as_number("rotary_pct") : 0.25;
    if (!(rotary_pct > 0.0 && rotary_pct <= 1.0))
        fail(ErrorCode::format_value, "rotary_pct is ", rotary_pct, "; above 0 and up to 1 was expected.");
    if (config.n_embd % config.n_head == 0)
        config.n_rot = static_cast<std::int32_t>(config.head_dim() * rotary_pct);
    const JsonValue* scaling = json.find_set("rope_scaling");
    const char* key = "rope_scaling";
    if (!scaling && parameters && (parameters->find_set("rope_type") || parameters->find_set("type"))) {
        scaling = parameters;
        key = "rope_parameters";
    }
    fields.note("rope_scaling", scaling, "null");
    if (scaling) read_rope_scaling(*scaling, key, config);
}

void read_eos(Fields& fields, ParsedConfig& parsed) {
    const JsonValue* eos = fields.find("eos_token_id", "2");
    if (!eos) {
        parsed.eos_ids = {2};
    } else if (eos->is_array()) {
        for (const JsonValue& id : eos->as_array("eos_token_id"))
            parsed.eos_ids.push_back(fields.id("eos_token_id", id));
    } else if (!eos->is_null()) {
        const std::int32_t id = fields.id("eos_token_id", *eos);
        if (id >= 0) parsed.eos_ids = {id};
    }
    parsed.config.eos = parsed.eos_ids.empty() ? -1 : parsed.eos_ids.front();
}

}  // namespace

ParsedConfig config_from_hf(const JsonValue& json) {
    json.as_object("config.json");
    check_architecture(json);
    ParsedConfig parsed;
    Config& config = parsed.config;
    Fields fields(json, parsed);
    for (const IntegerField& field : kIntegerFields) {
        const JsonValue* value = fields.find(field.hf_key, text(field.hf_default));
        config.*field.field =
            checked_field(field, field.hf_key, value ? value->as_integer(field.hf_key) : field.hf_default);
    }
    read_rope(json, fields, config);
    const JsonValue* act = fields.find("hidden_act", "\"gelu\"");
    config.hidden_act =
        act ? hidden_act_from_name(act->as_string("hidden_act"), "hidden_act") : HiddenAct::gelu_erf;
    const JsonValue* eps = fields.find("layer_norm_eps", "1e-05");
    config.norm_eps =
        eps ? checked_positive("layer_norm_eps", eps->as_number("layer_norm_eps"), true) : 1e-5f;
    const JsonValue* parallel = fields.find("use_parallel_residual", "true");
    config.parallel_residual = !parallel || parallel->as_bool("use_parallel_residual") ? 1 : 0;
    if (const JsonValue* bias = fields.find("attention_bias", "true")) bias->as_bool("attention_bias");
    if (const JsonValue* tied = fields.find("tie_word_embeddings", "false"))
        tied->as_bool("tie_word_embeddings");
    config.bos = fields.optional_id("bos_token_id", 0);
    read_eos(fields, parsed);
    config.pad = fields.optional_id("pad_token_id", -1);
    check_config(parsed);
    return parsed;
}

}  // namespace neox
