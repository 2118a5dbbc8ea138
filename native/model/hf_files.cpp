#include "model/hf_files.h"

#include "base/error.h"
#include "base/printable.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch.h"
#include "checkpoint/weight_index.h"

namespace neox {
namespace {

// One way in which transformers saves weights: in one file, or in several with an index.
struct WeightFormat {
    const char* file;
    const char* index;
    std::vector<StoredTensor> (*read)(const File& file);
    WeightIndex (*parse_index)(std::string_view json);
};

constexpr WeightFormat kFormats[] = {
    {"model.safetensors", "model.safetensors.index.json", read_safetensors, parse_safetensors_index},
    {"pytorch_model.bin", "pytorch_model.bin.index.json", read_torch, parse_torch_index},
};

WeightIndex read_index(const WeightFormat& format, const std::string& path) {
    try {
        return format.parse_index(read_text_file(path, kWeightIndexLargest));
    } catch (const Error& e) {
        throw Error(e.code(), text("'", path, "': ", e.what()));
    }
}

WeightFiles open_files(const std::string& folder, const WeightFormat& format, const WeightIndex& index) {
    WeightFiles weights;
    for (const std::string& name : index.files) {
        const std::size_t number = weights.files.size();
        weights.files.emplace_back(join_path(folder, name));
        for (StoredTensor& tensor : format.read(weights.files.back())) {
            const std::string key = tensor.name;
            const auto [found, is_new] =
                weights.tensors.emplace(key, WeightTensor{std::move(tensor), number});
            if (!is_new)
                fail(ErrorCode::format_duplicate, "Tensor '", key, "' is both in '",
                     index.files[found->second.file], "' and in '", name, "' of '", folder, "'.");
        }
    }
    for (const auto& [name, number] : index.tensors) {
        const auto found = weights.tensors.find(name);
        if (found == weights.tensors.end() || found->second.file != number)
            fail(ErrorCode::format_missing, "Tensor '", printable(name), "' is not in '", index.files[number],
                 "', where the index of '", folder, "' puts it.");
    }
    return weights;
}

}  // namespace

WeightFiles open_weight_files(const std::string& folder) {
    for (const WeightFormat& format : kFormats) {
        if (is_regular_file(join_path(folder, format.file)))
            return open_files(folder, format, {{format.file}, {}});
        const std::string index = join_path(folder, format.index);
        if (is_regular_file(index)) return open_files(folder, format, read_index(format, index));
    }
    fail(ErrorCode::file_not_found, "'", folder,
         "' has no weights: none of model.safetensors, pytorch_model.bin and "
         "their index.json files is there.");
}

}  // namespace neox
