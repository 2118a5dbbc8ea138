#include "jobs/synth.h"

#include <unordered_set>
#include <utility>

#include "base/file.h"
#include "jobs/metadata.h"
#include "jobs/random_weights.h"
#include "jobs/tokenizer_metadata.h"
#include "jobs/write_tensors.h"
#include "model/gguf_source.h"
#include "model/hf_source.h"

namespace neox {
namespace {

constexpr Shape kShapes[] = {
    {"3.6b", "rinna/japanese-gpt-neox-3.6b", 36, 2816, 22, 11264, 32000, 2048, 1.0f, false},
    {"4b", "rinna/bilingual-gpt-neox-4b", 36, 2816, 22, 11264, 65536, 2048, 1.0f, false},
    {"small", "rinna/japanese-gpt-neox-small", 12, 768, 12, 3072, 44416, 2048, 1.0f, false},
    {"pythia-410m", "EleutherAI/pythia-410m", 24, 1024, 16, 4096, 50304, 2048, 0.25f, true},
    {"tiny", "none: two layers, for tests", 2, 256, 4, 1024, 2560, 512, 1.0f, false},
};

const Shape& find_shape(const std::string& name) {
    std::string known;
    for (const Shape& shape : kShapes) {
        if (name == shape.name) return shape;
        known += (known.empty() ? "" : ", ") + std::string(shape.name);
    }
    fail(ErrorCode::invalid_argument, "There is no shape '", name, "'; known are ", known, ".");
}

ParsedConfig config_of(const Shape& shape, std::int32_t n_layer) {
    if (n_layer < 0 || n_layer > shape.n_layer)
        fail(ErrorCode::invalid_argument, "The shape '", shape.name, "' has ", shape.n_layer, " layers, not ",
             n_layer, ".");
    ParsedConfig parsed;
    Config& config = parsed.config;
    config.n_layer = n_layer == 0 ? shape.n_layer : n_layer;
    config.n_embd = shape.n_embd;
    config.n_head = shape.n_head;
    config.n_ff = shape.n_ff;
    config.n_vocab = shape.n_vocab;
    config.n_ctx_train = shape.n_ctx_train;
    config.n_rot = static_cast<std::int32_t>(static_cast<float>(config.head_dim()) * shape.rotary_pct);
    config.parallel_residual = shape.parallel_residual ? 1 : 0;
    return parsed;
}

// The tokenizer's texts alone, a sentencepiece model grown to n_vocab pieces. Sets the special ids.
ModelText padded_tokenizer(const std::string& path, std::int32_t n_vocab, ParsedConfig& parsed) {
    const ModelText all = is_directory(path) ? text_from_folder(path) : text_from_gguf(read_gguf(File(path)));
    if (!all.has_tokenizer()) fail(ErrorCode::no_tokenizer, "'", path, "' has no tokenizer.");
    ModelText texts;
    texts.tokenizer_json = all.tokenizer_json;
    texts.tokenizer_config = all.tokenizer_config;
    texts.special_tokens_map = all.special_tokens_map;
    texts.added_tokens = all.added_tokens;
    if (all.spiece.empty()) return texts;
    const SpieceModel model = parse_spiece(all.spiece);
    validate_spiece(model);
    const auto wanted = static_cast<std::size_t>(n_vocab);
    if (model.pieces.size() > wanted)
        fail(ErrorCode::invalid_argument, "The tokenizer of '", path, "' has ", model.pieces.size(),
             " pieces; the shape's vocabulary is ", n_vocab, ".");
    std::unordered_set<std::string> seen;
    for (const SpiecePiece& piece : model.pieces) seen.insert(piece.text);
    std::vector<SpiecePiece> more;
    for (std::size_t id = model.pieces.size(); id < wanted; ++id) {
        std::string piece = text("[PAD", id, "]");
        while (seen.contains(piece)) piece += "_";
        seen.insert(piece);
        more.push_back({piece, 0.0f, PieceType::unused});
    }
    texts.spiece = append_pieces(all.spiece, more);
    Config& config = parsed.config;
    config.bos = model.bos_id;
    config.eos = model.eos_id;
    config.pad = model.pad_id;
    if (config.eos >= 0) parsed.eos_ids = {config.eos};
    return texts;
}

}  // namespace

std::span<const Shape> shapes() { return kShapes; }

WrittenFile synth(const SynthOptions& options, const JobControl& control) {
    const Shape& shape = find_shape(options.shape);
    ParsedConfig parsed = config_of(shape, options.n_layer);
    ModelText texts;
    if (!options.tokenizer.empty()) texts = padded_tokenizer(options.tokenizer, shape.n_vocab, parsed);

    GgufFile file;
    set_model_keys(file, text(shape.name, " with random weights"), parsed);
    for (const ExpectedTensor& expected : expected_tensors(parsed.config)) {
        Tensor tensor;
        tensor.name = expected.name;
        tensor.n_dims = expected.n_rows == 1 ? 1 : 2;
        tensor.shape[0] = expected.n_cols;
        tensor.shape[1] = expected.n_rows;
        tensor.dtype = DType::F32;
        file.tensors.push_back(std::move(tensor));
    }
    WrittenFile result = assign_types(file, {.type = options.type}, parsed.config.n_layer);
    if (options.dry_run) {
        result.n_bytes = tensor_bytes(file);
        return result;
    }
    set_tokenizer_keys(file, texts, parsed);
    set_own_keys(file, parsed, texts);

    GgufWriter writer(options.output, std::move(file));
    result.n_bytes = writer.data_bytes();
    std::vector<std::uint64_t> keys;
    for (const Tensor& tensor : writer.file().tensors) keys.push_back(random_key(options.seed, tensor.name));
    const auto make_rows = [&](std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                               std::byte* dst) {
        make_random_rows(writer.file().tensors[index], keys[index], row_begin, n_rows, dst);
    };
    write_tensors(writer, make_rows, control);
    control.check();
    writer.commit();
    return result;
}

}  // namespace neox
