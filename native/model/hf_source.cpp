#include "model/hf_source.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/json.h"
#include "gguf/gguf.h"
#include "model/hf_files.h"
#include "model/source_check.h"

namespace neox {
namespace {

constexpr std::uint64_t kLargestSpiece = kGgufMostElements;  // it becomes an array of bytes

// Where the bytes of one tensor come from.
struct Place {
    enum class Kind { plain, qkv_weight, qkv_bias, zeros } kind = Kind::plain;
    std::size_t file = 0;
    std::uint64_t offset = 0;
};

class HfSource final : public TensorSource {
public:
    explicit HfSource(const std::string& folder) : folder_(folder) {
        const JsonValue json = read_config();
        try {
            parsed_ = config_from_hf(json);
        } catch (const Error& e) {
            throw Error(e.code(), neox::text("'", join_path(folder, "config.json"), "': ", e.what()));
        }
        WeightFiles weights = open_weight_files(folder);
        try {
            const JsonValue* bias = json.find_set("attention_bias");
            const JsonValue* tied = json.find_set("tie_word_embeddings");
            place_tensors(weights, !bias || bias->as_bool("attention_bias"),
                          tied && tied->as_bool("tie_word_embeddings"));
        } catch (const Error& e) {
            throw Error(e.code(), neox::text("'", folder, "': ", e.what()));
        }
        files_ = std::move(weights.files);
        text_ = text_from_folder(folder);
    }

    const ParsedConfig& parsed() const override { return parsed_; }
    const ModelText& text() const override { return text_; }
    const char* format() const override {
        return files_.front().path().ends_with(".safetensors") ? "safetensors" : "torch.save";
    }
    std::vector<SourceFile> files() const override {
        std::vector<SourceFile> list;
        for (const File& file : files_) list.push_back({file.path(), file.size()});
        return list;
    }
    std::string identity() const override {
        std::string all = config_identity_;
        for (const File& file : files_) all.append(",").append(identity_text(file.identity()));
        return all;
    }
    const std::vector<Tensor>& tensors() const override { return tensors_; }
    void read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                   std::byte* dst) const override;

private:
    JsonValue read_config();
    void place_tensors(const WeightFiles& weights, bool has_attention_bias, bool is_tied);
    void place(const WeightFiles& weights, const ExpectedTensor& expected, bool has_attention_bias,
               bool is_tied);

    std::string folder_;
    std::string config_identity_;
    std::vector<File> files_;
    std::vector<Tensor> tensors_;
    std::vector<Place> places_;
    ParsedConfig parsed_;
    ModelText text_;
};

JsonValue HfSource::read_config() {
    const std::string path = join_path(folder_, "config.json");
    const File file(path);
    config_identity_ = identity_text(file.identity());
    return parse_json(read_text_file(path, JsonLimits{}.max_bytes), "'" + path + "'");
}

// The base model alone is saved without the prefix.
const WeightTensor* find_weight(const WeightFiles& weights, const std::string& name) {
    for (const char* prefix : {"gpt_neox.", ""}) {
        const auto found = weights.tensors.find(prefix + name);
        if (found != weights.tensors.end()) return &found->second;
    }
    return nullptr;
}

// Weights are read row by row from one place.
void check_readable(const StoredTensor& stored) {
    if (!stored.dtype ||
        (*stored.dtype != DType::F32 && *stored.dtype != DType::F16 && *stored.dtype != DType::BF16))
        fail(ErrorCode::unsupported, "Tensor '", stored.name, "' has dtype ", stored.dtype_name,
             ", which is not supported for weights; F32, F16 and BF16 are.");
    if (!stored.is_contiguous)
        fail(ErrorCode::unsupported, "Tensor '", stored.name,
             "' is a view whose elements do not lie one after the other (a transpose, a slice of columns); "
             "save it anew after .contiguous().");
}

void HfSource::place_tensors(const WeightFiles& weights, bool has_attention_bias, bool is_tied) {
    for (const ExpectedTensor& expected : expected_tensors(parsed_.config))
        place(weights, expected, has_attention_bias, is_tied);
}

void HfSource::place(const WeightFiles& weights, const ExpectedTensor& expected, bool has_attention_bias,
                     bool is_tied) {
    const std::string name =
        hf_tensor_name(is_tied && expected.name == "output.weight" ? "token_embd.weight" : expected.name);
    const bool is_attention_bias =
        expected.name.ends_with(".attn_qkv.bias") || expected.name.ends_with(".attn_output.bias");
    const bool is_qkv = expected.name.find(".attn_qkv.") != std::string::npos;
    Tensor tensor;
    tensor.name = expected.name;
    tensor.n_dims =
        expected.name.ends_with(".bias") || expected.name.find("_norm.") != std::string::npos ? 1 : 2;
    Place where;
    const WeightTensor* found = find_weight(weights, name);
    if (is_attention_bias && !has_attention_bias) {
        where.kind = Place::Kind::zeros;
        tensor.shape[0] = expected.n_cols;
    } else if (!found) {
        fail(ErrorCode::format_missing, "Tensor '", name, "' is missing.");
    } else {
        const StoredTensor& stored = found->stored;
        check_readable(stored);
        if (stored.shape.size() != static_cast<std::size_t>(tensor.n_dims))
            fail(ErrorCode::format_shape, "Tensor '", name, "' has ", stored.shape.size(), " dimensions; ",
                 tensor.n_dims, " were expected.");
        tensor.dtype = *stored.dtype;
        tensor.shape[0] = stored.shape.back();
        tensor.shape[1] = tensor.n_dims == 2 ? stored.shape.front() : 1;
        where.file = found->file;
        where.offset = stored.offset;
        if (is_qkv) where.kind = tensor.n_dims == 2 ? Place::Kind::qkv_weight : Place::Kind::qkv_bias;
    }
    // The message of a wrong shape has the checkpoint's own name.
    Tensor named = tensor;
    named.name = name;
    check_shape(named, expected);
    tensor.n_bytes = row_bytes(tensor.dtype, tensor.n_cols()) * tensor.n_rows();
    tensor.offset = where.offset;
    tensors_.push_back(std::move(tensor));
    places_.push_back(where);
}

// Hugging Face keeps Q, K and V of each head together: row (head * 3 + part) * head_dim + i. Here the rows of
// a part are together: row (part * n_head + head) * head_dim + i.
std::uint64_t hf_qkv_row(std::uint64_t row, const Config& config) {
    const auto head_dim = static_cast<std::uint64_t>(config.head_dim());
    const auto n_embd = static_cast<std::uint64_t>(config.n_embd);
    const std::uint64_t part = row / n_embd, head = row % n_embd / head_dim, i = row % head_dim;
    return (head * 3 + part) * head_dim + i;
}

void HfSource::read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                         std::byte* dst) const {
    const Tensor& tensor = tensors_.at(index);
    const Place& where = places_[index];
    check_rows(tensor, row_begin, n_rows);
    const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
    const auto n_bytes = static_cast<std::size_t>(n_rows * stride);
    const auto head_dim = static_cast<std::uint64_t>(parsed_.config.head_dim());
    switch (where.kind) {
        case Place::Kind::zeros: std::memset(dst, 0, n_bytes); return;
        case Place::Kind::plain:
            files_[where.file].read_at(where.offset + row_begin * stride, {dst, n_bytes});
            return;
        case Place::Kind::qkv_weight:
            // Runs of rows that are neighbours in both orders.
            for (std::uint64_t row = row_begin; row < row_begin + n_rows;) {
                const std::uint64_t run = std::min(head_dim - row % head_dim, row_begin + n_rows - row);
                files_[where.file].read_at(where.offset + hf_qkv_row(row, parsed_.config) * stride,
                                           {dst, static_cast<std::size_t>(run * stride)});
                dst += run * stride;
                row += run;
            }
            return;
        case Place::Kind::qkv_bias: {
            if (n_rows == 0) return;
            std::vector<std::byte> stored(n_bytes);
            files_[where.file].read_at(where.offset, stored);
            const std::size_t element = n_bytes / static_cast<std::size_t>(tensor.n_cols());
            for (std::uint64_t i = 0; i < tensor.n_cols(); i += head_dim)
                std::memcpy(dst + i * element, stored.data() + hf_qkv_row(i, parsed_.config) * element,
                            static_cast<std::size_t>(head_dim) * element);
            return;
        }
    }
}

}  // namespace

std::string hf_tensor_name(const std::string& gguf_name) {
    static constexpr const char* kNames[][2] = {
        {"token_embd.", "embed_in."},
        {"output_norm.", "final_layer_norm."},
        {"output.", "embed_out."},
        {"attn_norm.", "input_layernorm."},
        {"attn_qkv.", "attention.query_key_value."},
        {"attn_output.", "attention.dense."},
        {"ffn_norm.", "post_attention_layernorm."},
        {"ffn_up.", "mlp.dense_h_to_4h."},
        {"ffn_down.", "mlp.dense_4h_to_h."},
    };
    std::string prefix, rest = gguf_name;
    if (gguf_name.starts_with("blk.")) {
        const std::size_t dot = gguf_name.find('.', 4);
        prefix = "layers." + gguf_name.substr(4, dot - 3);
        rest = gguf_name.substr(dot + 1);
    }
    for (const auto& [gguf, hf] : kNames)
        if (rest.starts_with(gguf)) return prefix + hf + rest.substr(std::strlen(gguf));
    fail(ErrorCode::internal, "No Hugging Face name for tensor '", gguf_name, "'.");
}

ModelText text_from_folder(const std::string& folder) {
    const auto optional_text = [&](const char* name) {
        const std::string path = join_path(folder, name);
        return is_regular_file(path) ? read_text_file(path, kGgufLongestString) : std::string();
    };
    ModelText texts;
    const std::string spiece = join_path(folder, "spiece.model");
    if (is_regular_file(spiece)) texts.spiece = read_file(spiece, kLargestSpiece);
    if (texts.spiece.empty()) texts.tokenizer_json = optional_text("tokenizer.json");
    texts.tokenizer_config = optional_text("tokenizer_config.json");
    texts.special_tokens_map = optional_text("special_tokens_map.json");
    texts.added_tokens = optional_text("added_tokens.json");
    texts.generation_config = optional_text("generation_config.json");
    texts.name = base_name(folder);
    return texts;
}

std::unique_ptr<TensorSource> open_hf_source(const std::string& folder) {
    return std::make_unique<HfSource>(folder);
}

}  // namespace neox
