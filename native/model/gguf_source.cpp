#include "model/gguf_source.h"

#include <utility>

#include "base/error.h"
#include "model/foreign_tokenizer.h"
#include "model/source_check.h"

namespace neox {
namespace {

class GgufSource final : public TensorSource {
public:
    explicit GgufSource(const std::string& path) : file_(path), gguf_(read_gguf(file_)) {
        try {
            parsed_ = config_from_gguf(gguf_);
            check_tensors(parsed_.config, gguf_.tensors);
            text_ = text_from_gguf(gguf_);
            quantized_from_ = gguf_.find_string(kKeyQuantizedFrom).value_or("");
            if (const auto number = gguf_.find_u32("general.file_type"))
                if (const FileTypeInfo* info = find_file_type(*number)) file_type_ = info->type;
        } catch (const Error& e) {
            throw Error(e.code(), neox::text("'", path, "': ", e.what()));
        }
    }

    const ParsedConfig& parsed() const override { return parsed_; }
    const ModelText& text() const override { return text_; }
    std::string identity() const override { return identity_text(file_.identity()); }
    const char* format() const override { return gguf_.version == 2 ? "GGUF 2" : "GGUF 3"; }
    std::vector<SourceFile> files() const override { return {{file_.path(), file_.size()}}; }
    std::vector<SourceEntry> metadata() const override {
        std::vector<SourceEntry> entries;
        for (const auto& [key, value] : gguf_.metadata)
            entries.push_back({key, gguf_type_name(value.type), value.to_text()});
        return entries;
    }
    std::string quantized_from() const override { return quantized_from_; }
    std::optional<FileType> file_type() const override { return file_type_; }
    const std::vector<Tensor>& tensors() const override { return gguf_.tensors; }

    void read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                   std::byte* dst) const override {
        const Tensor& tensor = gguf_.tensors.at(index);
        check_rows(tensor, row_begin, n_rows);
        const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
        file_.read_at(gguf_.data_offset + tensor.offset + row_begin * stride,
                      {dst, static_cast<std::size_t>(n_rows * stride)});
    }

private:
    File file_;
    GgufFile gguf_;
    ParsedConfig parsed_;
    ModelText text_;
    std::optional<FileType> file_type_;
    std::string quantized_from_;
};

}  // namespace

ModelText text_from_gguf(const GgufFile& file) {
    ModelText texts;
    if (const GgufValue* spiece = file.find(kKeySpiece)) {
        const auto* array = std::get_if<GgufArray>(&spiece->value);
        if (!array || array->element != GgufType::u8)
            fail(ErrorCode::format_type, "Metadata '", kKeySpiece, "' must be an array of u8.");
        texts.spiece = array->bytes;
    }
    const auto find = [&](const char* key) { return file.find_string(key).value_or(""); };
    if (texts.spiece.empty()) texts.tokenizer_json = find(kKeyTokenizerJson);
    if (texts.has_tokenizer()) {
        texts.tokenizer_config = find(kKeyTokenizerConfig);
        texts.special_tokens_map = find(kKeySpecialTokensMap);
        texts.added_tokens = find(kKeyAddedTokens);
    } else {
        rebuild_tokenizer(file, texts);
    }
    texts.generation_config = find(kKeyGenerationConfig);
    texts.name = find("general.name");
    texts.chat_format = find(kKeyChatFormat);
    return texts;
}

std::unique_ptr<TensorSource> open_gguf_source(const std::string& path) {
    return std::make_unique<GgufSource>(path);
}

}  // namespace neox
