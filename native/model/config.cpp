#include "model/config.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/printable.h"
#include "model/config_keys.h"

namespace neox {

std::int32_t checked_field(const IntegerField& field, const char* key, std::int64_t value) {
    if (value < 1 || value > field.max)
        fail(ErrorCode::format_value, key, " is ", value, "; 1 to ", field.max, " was expected.");
    return static_cast<std::int32_t>(value);
}

float checked_positive(const char* key, double value, bool or_zero) {
    const bool fits = std::isfinite(value) && value <= double{std::numeric_limits<float>::max()};
    if (!fits || value < 0.0 || (!or_zero && static_cast<float>(value) == 0.0f))
        fail(ErrorCode::format_value, key, " is ", value, "; a finite number ",
             or_zero ? "not below 0" : "above 0", " was expected.");
    return static_cast<float>(value);
}

HiddenAct hidden_act_from_name(const std::string& name, const char* key) {
    if (name == "gelu" || name == "gelu_python") return HiddenAct::gelu_erf;
    for (const char* tanh_form :
         {"gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate"})
        if (name == tanh_form) return HiddenAct::gelu_tanh;
    fail(ErrorCode::unsupported, key, " is '", printable(name),
         "', which is not supported; gelu, gelu_new, gelu_fast and gelu_pytorch_tanh are.");
}

void check_config(const ParsedConfig& parsed) {
    const Config& config = parsed.config;
    if (config.n_embd % config.n_head != 0)
        fail(ErrorCode::format_value, "The hidden size ", config.n_embd, " is not divisible by the ",
             config.n_head, " attention heads.");
    if (config.n_rot < 1 || config.n_rot > config.head_dim())
        fail(ErrorCode::format_value, "The number of rotary dimensions is ", config.n_rot,
             "; 1 to the head size ", config.head_dim(), " was expected.");
    if (config.n_rot % 2 != 0)
        fail(ErrorCode::unsupported, "The number of rotary dimensions is ", config.n_rot,
             ", which is odd; that is not supported.");
    const auto check_id = [&](const char* what, std::int32_t id) {
        if (id < -1 || id >= config.n_vocab)
            fail(ErrorCode::format_value, what, " is ", id, ", outside the vocabulary of ", config.n_vocab,
                 ".");
    };
    check_id("bos_token_id", config.bos);
    check_id("pad_token_id", config.pad);
    check_id("unk_token_id", config.unk);
    for (const std::int32_t id : parsed.eos_ids) check_id("eos_token_id", id);
}

std::vector<ExpectedTensor> expected_tensors(const Config& config) {
    const auto n_embd = static_cast<std::uint64_t>(config.n_embd);
    const auto n_ff = static_cast<std::uint64_t>(config.n_ff);
    const auto n_vocab = static_cast<std::uint64_t>(config.n_vocab);
    std::vector<ExpectedTensor> tensors;
    const auto linear = [&](const std::string& name, std::uint64_t n_cols, std::uint64_t n_rows) {
        tensors.push_back({name + ".weight", n_cols, n_rows});
        tensors.push_back({name + ".bias", n_rows, 1});
    };
    const auto norm = [&](const std::string& name) {
        tensors.push_back({name + ".weight", n_embd, 1});
        tensors.push_back({name + ".bias", n_embd, 1});
    };
    tensors.push_back({"token_embd.weight", n_embd, n_vocab});
    for (std::int32_t layer = 0; layer < config.n_layer; ++layer) {
        const std::string prefix = text("blk.", layer, ".");
        norm(prefix + "attn_norm");
        linear(prefix + "attn_qkv", n_embd, 3 * n_embd);
        linear(prefix + "attn_output", n_embd, n_embd);
        norm(prefix + "ffn_norm");
        linear(prefix + "ffn_up", n_embd, n_ff);
        linear(prefix + "ffn_down", n_ff, n_embd);
    }
    norm("output_norm");
    tensors.push_back({"output.weight", n_embd, n_vocab});
    return tensors;
}

}  // namespace neox
