// The hyperparameters of a GPT-NeoX model. The only place where the three dialects meet:
//
//   C++ (here)          GGUF key (gptneox.*)                     Hugging Face config.json
//   n_layer             block_count                              num_hidden_layers
//   n_embd              embedding_length                         hidden_size
//   n_head              attention.head_count                     num_attention_heads
//   n_ff                feed_forward_length                      intermediate_size
//   n_rot               rope.dimension_count                     int(head_dim * rotary_pct)
//   rope_base           rope.freq_base                           rotary_emb_base / rope_theta
//   rope_scaling        rope.scaling.type, .factor               rope_scaling {type | rope_type, factor}
//   parallel_residual   use_parallel_residual                    use_parallel_residual
//   norm_eps            attention.layer_norm_epsilon             layer_norm_eps
//   n_ctx_train         context_length                           max_position_embeddings
//   hidden_act          neox.hidden_act (not llama.cpp's)        hidden_act
//   n_vocab             rows of token_embd.weight                vocab_size
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace neox {

struct GgufFile;
class JsonValue;

enum class HiddenAct : std::int32_t {
    gelu_erf = 0,   // "gelu"
    gelu_tanh = 1,  // "gelu_new", "gelu_fast", "gelu_pytorch_tanh": the tanh form
};

enum class RopeScaling : std::int32_t { none = 0, linear = 1, dynamic = 2 };

// Plain data: it crosses to device libraries as it is.
struct Config {
    std::int32_t n_layer = 0;
    std::int32_t n_embd = 0;
    std::int32_t n_head = 0;
    std::int32_t n_ff = 0;
    std::int32_t n_vocab = 0;      // rows of the embedding, padding rows included
    std::int32_t n_rot = 0;        // rotated dimensions of a head, even, <= head_dim
    std::int32_t n_ctx_train = 0;  // maxPositionEmbeddings
    float rope_base = 10000.0f;
    RopeScaling rope_scaling = RopeScaling::none;
    float rope_factor = 1.0f;
    float norm_eps = 1e-5f;
    HiddenAct hidden_act = HiddenAct::gelu_erf;
    std::int32_t parallel_residual = 1;  // 0 or 1
    std::int32_t bos = -1;               // -1: none
    std::int32_t eos = -1;
    std::int32_t pad = -1;
    std::int32_t unk = -1;

    std::int32_t head_dim() const { return n_embd / n_head; }
};

// Where a value came from, for inspect.
struct ConfigOrigin {
    std::string key;  // Hugging Face's name
    std::string value;
    std::string origin;  // "file" or "default"
};

struct ParsedConfig {
    Config config;
    std::vector<ConfigOrigin> origins;
    std::vector<std::int32_t> eos_ids;  // all of them; config.eos is the first
};

// Both check every value (positive sizes within 2^31, n_embd divisible by n_head, even n_rot, finite floats ...) and throw
// ERR_NEOX_FORMAT_MISSING / _TYPE / _VALUE or ERR_NEOX_UNSUPPORTED naming the key and the value. A key that config.json
// lacks takes transformers' default, never rinna's.
ParsedConfig config_from_gguf(const GgufFile& file);
ParsedConfig config_from_hf(const JsonValue& config_json);

// The tensors that a model of this shape must have, in file order: token_embd, blk.N..., output_norm, output.
struct ExpectedTensor {
    std::string name;
    std::uint64_t n_cols;
    std::uint64_t n_rows;  // 1 for vectors
};
std::vector<ExpectedTensor> expected_tensors(const Config& config);

}  // namespace neox
