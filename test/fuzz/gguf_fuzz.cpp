// A GGUF file: its header, the configuration and the texts that it holds, and whether it is a model's.
#include <algorithm>

#include "checkpoint/bpe.h"
#include "checkpoint/spiece.h"
#include "fuzz.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/gguf_source.h"
#include "model/source_check.h"

namespace {

using namespace neox;

void check_properties(const GgufFile& file, std::uint64_t file_size) {
    for (const Tensor& tensor : file.tensors) {
        const DTypeInfo& type = dtype_info(tensor.dtype);
        const auto block_length = static_cast<std::uint64_t>(type.block_length);
        fuzz::require(fuzz::is_exact_product(tensor.shape, 1, tensor.n_elements()),
                      "the element count of an accepted tensor is exact");
        fuzz::require(tensor.shape[0] % block_length == 0, "a row of an accepted tensor has whole blocks");
        const std::uint64_t dims[] = {tensor.shape[0] / block_length, tensor.shape[1], tensor.shape[2],
                                      tensor.shape[3]};
        fuzz::require(
            fuzz::is_exact_product(dims, static_cast<std::uint64_t>(type.block_bytes), tensor.n_bytes),
            "the size of an accepted tensor is exact");
        fuzz::require(file.data_offset <= file_size && tensor.offset <= file_size - file.data_offset &&
                          tensor.n_bytes <= file_size - file.data_offset - tensor.offset,
                      "an accepted tensor lies inside the file");
    }
}

void read_values(const GgufFile& file) {
    for (const auto& entry : file.metadata) {
        const std::string& key = entry.first;
        fuzz::accepts([&] { file.find_u32(key); });
        fuzz::accepts([&] { file.find_f32(key); });
        fuzz::accepts([&] { file.find_bool(key); });
        fuzz::accepts([&] { file.find_string(key); });
        entry.second.as_i32_array();
        entry.second.as_f32_array();
    }
}

// A tokenizer that was rebuilt from the keys of others is one that may be used.
void check_texts(const GgufFile& file) {
    const ModelText texts = text_from_gguf(file);
    if (!file.find(kKeySpiece) && !texts.spiece.empty())
        fuzz::require(fuzz::accepts([&] { validate_spiece(parse_spiece(texts.spiece)); }),
                      "a rebuilt spiece.model passes the validation");
    if (!file.find(kKeyTokenizerJson) && !texts.tokenizer_json.empty())
        fuzz::require(fuzz::accepts([&] { check_tokenizer_json(texts.tokenizer_json); }),
                      "a rebuilt tokenizer.json is JSON");
}

void parse(fuzz::Bytes bytes) {
    // A head shorter than the file gives the same file, asks for more, or is refused as the whole is.
    std::optional<GgufFile> early;
    const bool early_passes =
        fuzz::accepts([&] { early = parse_gguf(bytes.first(bytes.size() / 2), bytes.size()); });
    const auto file = parse_gguf(bytes, bytes.size());
    fuzz::require(early_passes, "a head is refused only where the whole file is");
    fuzz::require(file.has_value(), "the whole file is enough");
    fuzz::require(!early || early->data_offset == file->data_offset,
                  "a head means what the whole file means");
    check_properties(*file, bytes.size());
    read_values(*file);
    fuzz::accepts([&] { check_texts(*file); });
    const ParsedConfig parsed = config_from_gguf(*file);
    check_tensors(parsed.config, file->tensors);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
