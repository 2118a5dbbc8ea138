// model.safetensors.index.json and pytorch_model.bin.index.json: which file of a sharded checkpoint has which
// tensor.
//
//   {"metadata": {...}, "weight_map": {"gpt_neox.embed_in.weight": "model-00001-of-00002.safetensors", ...}}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace neox {

inline constexpr std::uint64_t kWeightIndexLargest = std::uint64_t{64} << 20;

struct WeightIndex {
    std::vector<std::string> files;                            // unique
    std::vector<std::pair<std::string, std::size_t>> tensors;  // name and index into files
};

// Both are pure. A file's name is that of a file in the index's own folder on every system: letters, digits,
// '.', '_' and '-', no dot in front, no device of Windows, with the ending of its kind. Throws
// ERR_NEOX_FORMAT_SYNTAX, _TYPE, _MISSING, _VALUE, _DUPLICATE or _LIMIT (1,024 files, 1,000,000 tensors).
WeightIndex parse_safetensors_index(std::string_view json);
WeightIndex parse_torch_index(std::string_view json);

}  // namespace neox
