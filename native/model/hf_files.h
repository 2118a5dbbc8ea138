// The files of a Hugging Face directory that hold its weights, as named tensors at places in them.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "checkpoint/stored_tensor.h"

namespace neox {

struct WeightTensor {
    StoredTensor stored;
    std::size_t file = 0;  // index into files
};

struct WeightFiles {
    std::vector<File> files;
    std::unordered_map<std::string, WeightTensor>
        tensors;  // by the checkpoint's own name, which is stored.name
};

// Opens the first that the directory has of model.safetensors, model.safetensors.index.json,
// pytorch_model.bin and pytorch_model.bin.index.json, in transformers' order, and reads the headers. Links
// are followed, as those of Hugging Face's cache must be. Throws ERR_NEOX_FILE_NOT_FOUND when there is none,
// or a shard is missing; what the formats throw; ERR_NEOX_FORMAT_DUPLICATE and _MISSING when shards and index
// disagree.
WeightFiles open_weight_files(const std::string& folder);

}  // namespace neox
