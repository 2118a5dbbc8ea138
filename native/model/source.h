// Where a model's tensors come from: a GGUF file or a Hugging Face directory, seen under GGUF's names and layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/file_type.h"
#include "tensor/tensor.h"

namespace neox {

// The texts that come with the weights.
struct ModelText {
    std::vector<std::byte> spiece;   // sentencepiece model proto, byte for byte, or empty
    std::string tokenizer_json;      // tokenizer.json, or empty; always empty beside a spiece
    std::string tokenizer_config;    // tokenizer_config.json, or empty
    std::string special_tokens_map;  // special_tokens_map.json, or empty
    std::string added_tokens;        // added_tokens.json, or empty
    std::string tokenizer_note;      // why there is no tokenizer though there seems to be one, or empty
    std::string generation_config;   // generation_config.json, or empty
    std::string name;                // general.name, or the directory's name
    std::string chat_format;         // name of a chat format, or empty

    bool has_tokenizer() const { return !spiece.empty() || !tokenizer_json.empty(); }
};

struct SourceFile {
    std::string path;
    std::uint64_t n_bytes;
};

// What a file says beside its tensors, for people.
struct SourceEntry {
    std::string key, type, value;
};

// Tensors of one model under GGUF names ("blk.0.attn_qkv.weight") with GGUF's row order: the rows of attn_qkv are all of
// Q, then K, then V, each head after head. Safe to read from several threads at once.
class TensorSource {
public:
    virtual ~TensorSource() = default;

    virtual const ParsedConfig& parsed() const = 0;
    virtual const ModelText& text() const = 0;
    // Names the very files (device, inode, size, modification time): equal strings, equal contents. For sharing weights.
    virtual std::string identity() const = 0;
    virtual const char* format() const = 0;             // "GGUF 3", "safetensors", "torch.save"
    virtual std::vector<SourceFile> files() const = 0;  // that hold the weights
    // All metadata of a GGUF file; nothing for a directory, whose configuration says where its values came from.
    virtual std::vector<SourceEntry> metadata() const { return {}; }
    // What the file says of itself; nullopt where it says nothing that is known.
    virtual std::optional<FileType> file_type() const { return std::nullopt; }
    // Of a copy in a cache: what it was made from, as its maker wrote it. Empty for others.
    virtual std::string quantized_from() const { return {}; }
    const Config& config() const { return parsed().config; }
    virtual const std::vector<Tensor>& tensors() const = 0;
    // Reads rows [row_begin, row_begin + n_rows) of tensors()[index] as the file stores them (its dtype), row_bytes()
    // apart. Throws ERR_NEOX_IO or ERR_NEOX_FORMAT_TRUNCATED when the file has become shorter.
    virtual void read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                           std::byte* dst) const = 0;
};

// Opens a .gguf file or a Hugging Face directory. Reads headers only. Throws ERR_NEOX_FILE_NOT_FOUND, ERR_NEOX_IO or one
// of the format codes.
std::unique_ptr<TensorSource> open_source(const std::string& path);

}  // namespace neox
