// Configurations and sources: defaults, refusals, and the layout of a Hugging Face checkpoint seen under
// GGUF's names.
#include "model/source.h"

#include <cstring>
#include <map>
#include <stdexcept>

#include "check.h"
#include "checkpoint/json.h"
#include "gguf/gguf.h"
#include "model/hf_source.h"
#include "quant/quant.h"
#include "scratch.h"

namespace {

using namespace neox;

ParsedConfig hf(const std::string& members) {
    const std::string comma = members.empty() ? "" : ", ";
    return config_from_hf(parse_json("{\"model_type\": \"gpt_neox\"" + comma + members + "}", "config"));
}

TEST(config_defaults_are_those_of_transformers) {
    const ParsedConfig parsed = hf("");
    const Config& c = parsed.config;
    CHECK_EQ(c.n_vocab, 50432);
    CHECK_EQ(c.n_embd, 6144);
    CHECK_EQ(c.n_layer, 44);
    CHECK_EQ(c.n_head, 64);
    CHECK_EQ(c.n_ff, 24576);
    CHECK_EQ(c.n_ctx_train, 2048);
    CHECK_EQ(c.n_rot, 24);
    CHECK_EQ(c.rope_base, 10000.0f);
    CHECK_EQ(c.norm_eps, 1e-5f);
    CHECK_EQ(c.parallel_residual, 1);
    CHECK(c.hidden_act == HiddenAct::gelu_erf);
    CHECK(c.rope_scaling == RopeScaling::none);
    CHECK_EQ(c.bos, 0);
    CHECK_EQ(c.eos, 2);
    CHECK_EQ(c.pad, -1);
    for (const ConfigOrigin& origin : parsed.origins) CHECK_EQ(origin.origin, "default");
}

TEST(config_reads_rope_in_every_spelling) {
    for (
        const char* text :
        {R"("rope_scaling": {"type": "linear", "factor": 4.0})",
         R"("rope_scaling": {"rope_type": "linear", "factor": 4})",
         R"("rope_scaling": {"type": "linear", "rope_type": "dynamic", "factor": 4})",
         R"("rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})",
         R"("rope_parameters": {"type": "linear", "factor": 4.0})",
         R"("rope_scaling": null, "rope_parameters": {"rope_type": "linear", "factor": 4.0})",
         R"("rope_scaling": {"type": "linear", "factor": 4}, "rope_parameters": {"rope_type": "default"})"}) {
        const Config c = hf(text).config;
        CHECK(c.rope_scaling == RopeScaling::linear);
        CHECK_EQ(c.rope_factor, 4.0f);
    }
    CHECK(hf(R"("rope_scaling": {"type": "dynamic", "factor": 2.0})").config.rope_scaling ==
          RopeScaling::dynamic);
    CHECK(hf(R"("rope_scaling": {"rope_type": "default"})").config.rope_scaling == RopeScaling::none);
    CHECK(hf(R"("rope_scaling": null)").config.rope_scaling == RopeScaling::none);
    const Config v5 =
        hf(R"("rope_parameters": {"rope_type": "default", "rope_theta": 500, "partial_rotary_factor": 1.0})")
            .config;
    CHECK_EQ(v5.rope_base, 500.0f);
    CHECK_EQ(v5.n_rot, 96);
    CHECK_EQ(hf(R"("rotary_emb_base": 20000, "rope_theta": 1)").config.rope_base, 20000.0f);
    CHECK_EQ(hf(R"("rope_theta": 500, "partial_rotary_factor": 0.5)").config.rope_base, 500.0f);
    CHECK_EQ(hf(R"("rotary_pct": 0.5, "rope_parameters": {"partial_rotary_factor": 1.0})").config.n_rot, 48);
    CHECK_EQ(hf(R"("rope_scaling": {"type": "dynamic", "factor": 0.5})").config.rope_factor, 0.5f);
    for (const char* type : {"yarn", "longrope", "su", "llama3", "ntk"})
        for (const char* key : {"rope_scaling", "rope_parameters"})
            CHECK_THROWS(hf("\"" + std::string(key) + R"(": {"rope_type": ")" + type + R"(", "factor": 4})"),
                         unsupported);
    CHECK_THROWS(hf(R"("rope_scaling": {})"), format_missing);
    CHECK_THROWS(hf(R"("rope_scaling": {"type": "linear"})"), format_missing);
    CHECK_THROWS(hf(R"("rope_scaling": {"factor": 2})"), format_missing);
    CHECK_THROWS(hf(R"("rope_scaling": 4)"), format_type);
    for (const char* bad : {"0", "-1", "NaN", "Infinity", "1e999"})
        CHECK_THROWS(hf(std::string(R"("rope_scaling": {"type": "linear", "factor": )") + bad + "}"),
                     format_value);
}

TEST(config_errors_name_key_value_and_range) {
    const auto message = [](const char* members) -> std::string {
        try {
            hf(members);
        } catch (const Error& e) {
            return e.what();
        }
        return "";
    };
    CHECK_EQ(message(R"("num_hidden_layers": 0)"), "num_hidden_layers is 0; 1 to 512 was expected.");
    CHECK_EQ(message(R"("layer_norm_eps": -1)"),
             "layer_norm_eps is -1; a finite number not below 0 was expected.");
    CHECK_EQ(message(R"("rope_scaling": {"type": "yarn", "factor": 4})"),
             "rope_scaling has type 'yarn', which is not supported; linear and dynamic are.");
    CHECK_EQ(message(R"("torch_dtype": "float16", "dtype": 7, "attention_dropout": "x")"), "");
}

TEST(config_refuses_bad_values) {
    for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                            "intermediate_size", "max_position_embeddings"}) {
        for (const char* bad : {"0", "-1", "4294967296", "9223372036854775807"})
            CHECK_THROWS(hf("\"" + std::string(key) + "\": " + bad), format_value);
        for (const char* bad : {"1.5", "\"2\"", "null", "[1]", "1e3", "99999999999999999999"})
            CHECK_THROWS(hf("\"" + std::string(key) + "\": " + bad), format_type);
    }
    CHECK_THROWS(hf(R"("num_hidden_layers": 513)"), format_value);
    CHECK_THROWS(hf(R"("num_attention_heads": 7)"), format_value);
    CHECK_THROWS(hf(R"("rotary_pct": 1.5)"), format_value);
    CHECK_THROWS(hf(R"("rotary_pct": 0)"), format_value);
    CHECK_THROWS(hf(R"("rotary_pct": NaN)"), format_value);
    CHECK_EQ(hf(R"("rotary_pct": 0.26)").config.n_rot, 24);   // int(96 * 0.26)
    CHECK_THROWS(hf(R"("rotary_pct": 0.262)"), unsupported);  // 25
    CHECK_THROWS(hf(R"("layer_norm_eps": 1e999)"), format_value);
    CHECK_THROWS(hf(R"("layer_norm_eps": -1)"), format_value);
    CHECK_THROWS(hf(R"("rotary_emb_base": 0)"), format_value);
    CHECK_THROWS(hf(R"("hidden_act": "relu")"), unsupported);
    CHECK_THROWS(hf(R"("use_parallel_residual": 1)"), format_type);
    CHECK_THROWS(hf(R"("eos_token_id": 50432)"), format_value);
    CHECK_THROWS(hf(R"("bos_token_id": -2)"), format_value);
    CHECK_THROWS(config_from_hf(parse_json("[]", "c")), format_type);
    CHECK_THROWS(config_from_hf(parse_json("{}", "c")), format_missing);
    CHECK_THROWS(config_from_hf(parse_json(R"({"model_type": "gpt_neox_japanese"})", "c")), unsupported);
    CHECK_THROWS(hf(R"("architectures": ["GPTNeoXForSequenceClassification"])"), unsupported);
}

TEST(config_reads_activations_and_ids) {
    for (const char* name : {"gelu_new", "gelu_fast", "gelu_pytorch_tanh"})
        CHECK(hf("\"hidden_act\": \"" + std::string(name) + "\"").config.hidden_act == HiddenAct::gelu_tanh);
    const ParsedConfig several = hf(R"("eos_token_id": [3, 7], "bos_token_id": null, "pad_token_id": 1)");
    CHECK(several.eos_ids == std::vector<std::int32_t>({3, 7}));
    CHECK_EQ(several.config.eos, 3);
    CHECK_EQ(several.config.bos, -1);
    CHECK_EQ(several.config.pad, 1);
    CHECK(hf(R"("eos_token_id": null)").eos_ids.empty());
}

std::vector<float> all_of(const TensorSource& source, const std::string& name) {
    for (std::size_t i = 0; i < source.tensors().size(); ++i) {
        const Tensor& t = source.tensors()[i];
        if (t.name != name) continue;
        std::vector<std::byte> bytes(t.n_bytes);
        source.read_rows(i, 0, t.n_rows(), bytes.data());
        std::vector<float> values(t.n_elements());
        dequantize_row(t.dtype, bytes.data(), static_cast<std::int64_t>(values.size()), values.data());
        return values;
    }
    throw std::runtime_error("no tensor " + name);
}

// A checkpoint of one layer, 2 heads of 4, whose element i of each tensor is base + i.
struct Checkpoint {
    static constexpr std::uint64_t kEmbd = 8, kFf = 12, kVocab = 10;
    struct Entry {
        std::vector<std::uint64_t> shape;
        std::string dtype = "F32";
    };
    std::map<std::string, Entry> tensors;
    std::string config =
        R"({"model_type": "gpt_neox", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 12, "max_position_embeddings": 16, "rotary_pct": 1.0)";

    Checkpoint() {
        const std::string layer = "gpt_neox.layers.0.";
        tensors["gpt_neox.embed_in.weight"] = {{kVocab, kEmbd}};
        tensors["embed_out.weight"] = {{kVocab, kEmbd}};
        for (const std::string norm : {"gpt_neox.final_layer_norm", "gpt_neox.layers.0.input_layernorm",
                                       "gpt_neox.layers.0.post_attention_layernorm"})
            tensors[norm + ".weight"] = tensors[norm + ".bias"] = {{kEmbd}};
        add_linear(layer + "attention.query_key_value", 3 * kEmbd, kEmbd);
        add_linear(layer + "attention.dense", kEmbd, kEmbd);
        add_linear(layer + "mlp.dense_h_to_4h", kFf, kEmbd);
        add_linear(layer + "mlp.dense_4h_to_h", kEmbd, kFf);
    }
    void add_linear(const std::string& name, std::uint64_t rows, std::uint64_t cols) {
        tensors[name + ".weight"] = {{rows, cols}};
        tensors[name + ".bias"] = {{rows}};
    }

    static std::vector<std::byte> file(const std::map<std::string, Entry>& entries) {
        std::string header = "{";
        std::vector<float> data;
        std::uint64_t at = 0;
        for (const auto& [name, entry] : entries) {
            std::uint64_t n = 1;
            std::string shape;
            for (const std::uint64_t dim : entry.shape)
                n *= dim, shape += (shape.empty() ? "" : ",") + std::to_string(dim);
            const std::uint64_t bytes = n * (entry.dtype == "F32" ? 4 : 1);
            header += (header.size() > 1 ? "," : "") + json_quote(name) + ":{\"dtype\":\"" + entry.dtype +
                      "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(at) + "," +
                      std::to_string(at + bytes) + "]}";
            at += bytes;
            const auto base = static_cast<float>(name.size() * 1000);
            for (std::uint64_t i = 0; i < bytes / 4; ++i) data.push_back(base + static_cast<float>(i));
        }
        header += "}";
        std::vector<std::byte> out(8 + header.size() + at);
        const std::uint64_t n = header.size();
        std::memcpy(out.data(), &n, 8);
        std::memcpy(out.data() + 8, header.data(), header.size());
        if (!data.empty()) std::memcpy(out.data() + 8 + header.size(), data.data(), data.size() * 4);
        return out;
    }
    void save(const scratch::Folder& folder) const {
        scratch::write(folder / "config.json", config + "}");
        scratch::write(folder / "model.safetensors", file(tensors));
    }
    std::unique_ptr<TensorSource> open(const scratch::Folder& folder) const {
        save(folder);
        return open_source(folder.path());
    }
};

TEST(qkv_rows_are_gathered_by_part) {
    const scratch::Folder folder;
    const auto source = Checkpoint().open(folder);
    const std::vector<float> weight = all_of(*source, "blk.0.attn_qkv.weight");
    const std::vector<float> bias = all_of(*source, "blk.0.attn_qkv.bias");
    const float weight_base =
        1000.0f * static_cast<float>(std::strlen("gpt_neox.layers.0.attention.query_key_value.weight"));
    const float bias_base =
        1000.0f * static_cast<float>(std::strlen("gpt_neox.layers.0.attention.query_key_value.bias"));
    for (int part = 0; part < 3; ++part)
        for (int head = 0; head < 2; ++head)
            for (int i = 0; i < 4; ++i) {
                const int here = part * 8 + head * 4 + i, there = head * 12 + part * 4 + i;
                CHECK_EQ(bias[static_cast<std::size_t>(here)], bias_base + static_cast<float>(there));
                for (int c = 0; c < 8; ++c)
                    CHECK_EQ(weight[static_cast<std::size_t>(here * 8 + c)],
                             weight_base + static_cast<float>(there * 8 + c));
            }
}

TEST(qkv_rows_are_the_same_in_any_slice) {
    const scratch::Folder folder;
    const auto source = Checkpoint().open(folder);
    const std::vector<float> whole = all_of(*source, "blk.0.attn_qkv.weight");
    std::size_t index = 0;
    while (source->tensors()[index].name != "blk.0.attn_qkv.weight") ++index;
    for (std::uint64_t begin = 0; begin <= 24; ++begin)
        for (std::uint64_t n = 0; begin + n <= 24; ++n) {
            std::vector<float> part(n * 8);
            source->read_rows(index, begin, n, reinterpret_cast<std::byte*>(part.data()));
            CHECK(part.empty() || std::memcmp(part.data(), whole.data() + begin * 8, part.size() * 4) == 0);
        }
    std::byte none{};
    CHECK_THROWS(source->read_rows(index, 20, 5, &none), invalid_argument);
}

TEST(buffers_are_passed_over_but_no_bias) {
    const scratch::Folder folder;
    Checkpoint c;
    c.tensors["gpt_neox.layers.0.attention.bias"] = {{1, 1, 16, 16}, "BOOL"};
    c.tensors["gpt_neox.layers.0.attention.masked_bias"] = {{}};
    c.tensors["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = {{2}};
    const auto source = c.open(folder);
    CHECK_EQ(source->tensors().size(), 16);
    CHECK_EQ(all_of(*source, "blk.0.attn_output.bias").size(), 8);
}

TEST(missing_attention_biases_are_zeros_when_the_config_says_so) {
    const scratch::Folder folder;
    Checkpoint c;
    c.tensors.erase("gpt_neox.layers.0.attention.query_key_value.bias");
    c.tensors.erase("gpt_neox.layers.0.attention.dense.bias");
    CHECK_THROWS(c.open(folder), format_missing);
    c.config += R"(, "attention_bias": false)";
    CHECK(all_of(*c.open(folder), "blk.0.attn_qkv.bias") == std::vector<float>(24, 0.0f));
}

TEST(a_tied_head_is_the_embedding) {
    const scratch::Folder folder;
    Checkpoint c;
    c.tensors.erase("embed_out.weight");
    CHECK_THROWS(c.open(folder), format_missing);
    c.config += R"(, "tie_word_embeddings": true)";
    const auto source = c.open(folder);
    CHECK(all_of(*source, "output.weight") == all_of(*source, "token_embd.weight"));
}

TEST(base_model_names_lack_the_prefix) {
    const scratch::Folder folder, bare;
    const Checkpoint c;
    Checkpoint base = c;
    base.tensors.clear();
    for (const auto& [name, entry] : c.tensors)
        base.tensors[name.starts_with("gpt_neox.") ? name.substr(9) : name] = entry;
    CHECK_EQ(all_of(*base.open(bare), "blk.0.ffn_up.weight").size(),
             all_of(*c.open(folder), "blk.0.ffn_up.weight").size());
}

TEST(checkpoint_tensors_must_fit_the_config) {
    const scratch::Folder folder;
    for (const char* name : {"gpt_neox.embed_in.weight", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight",
                             "gpt_neox.final_layer_norm.bias"}) {
        Checkpoint c;
        c.tensors[name].shape[0] += 1;
        CHECK_THROWS(c.open(folder), format_shape);
        c.tensors[name].shape.push_back(1);
        CHECK_THROWS(c.open(folder), format_shape);
        c.tensors.erase(name);
        CHECK_THROWS(c.open(folder), format_missing);
    }
    Checkpoint c;
    c.tensors["embed_out.weight"].dtype = "I8";
    CHECK_THROWS(c.open(folder), unsupported);
}

TEST(shards_are_one_checkpoint) {
    const scratch::Folder whole, sharded;
    const Checkpoint c;
    std::map<std::string, Checkpoint::Entry> parts[2];
    std::string map;
    std::size_t i = 0;
    for (const auto& [name, entry] : c.tensors) {
        map +=
            (map.empty() ? "" : ",") + json_quote(name) + ":\"s" + std::to_string(i % 2) + ".safetensors\"";
        parts[i++ % 2][name] = entry;
    }
    scratch::write(sharded / "config.json", c.config + "}");
    scratch::write(sharded / "s0.safetensors", Checkpoint::file(parts[0]));
    scratch::write(sharded / "s1.safetensors", Checkpoint::file(parts[1]));
    scratch::write(sharded / "model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
    const auto a = c.open(whole), b = open_source(sharded.path());
    for (const Tensor& t : a->tensors()) CHECK(all_of(*a, t.name) == all_of(*b, t.name));
    scratch::write(sharded / "s1.safetensors", Checkpoint::file(c.tensors));
    CHECK_THROWS(open_source(sharded.path()), format_duplicate);
    scratch::write(sharded / "s1.safetensors", Checkpoint::file({}));
    CHECK_THROWS(open_source(sharded.path()), format_missing);
}

TEST(folders_without_readable_weights_say_why) {
    const scratch::Folder folder;
    CHECK_THROWS(open_source(folder.path()), file_not_found);
    scratch::write(folder / "config.json", Checkpoint().config + "}");
    CHECK_THROWS(open_source(folder.path()), file_not_found);
    scratch::write(folder / "pytorch_model.bin", "x");
    CHECK_THROWS(open_source(folder.path()), format_magic);
    CHECK_THROWS(open_source(folder / "absent.gguf"), file_not_found);
}

}  // namespace
