// safetensors, the weight format of Hugging Face:
//
//   u64 length of the header | header: one JSON object, padded with spaces | data
//   {"name": {"dtype": "F32", "shape": [rows, columns], "data_offsets": [begin, end]}, "__metadata__": {...}}
//
// Untrusted: the tensors must fill the data section without a hole or an overlap, each with exactly the bytes
// that its shape needs; names are unique; the header is at most 100,000,000 bytes. Every refusal is an Error
// with a format code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "checkpoint/stored_tensor.h"

namespace neox {

inline constexpr std::uint64_t kSafetensorsLargestHeader = 100'000'000;

using SafetensorsTensor = StoredTensor;  // always contiguous

// Length of the header that a file's first 8 bytes announce.
std::uint64_t safetensors_header_length(std::span<const std::byte> first8, std::uint64_t file_size);
// The tensors in the order of their data. `header` is the JSON text. Pure.
std::vector<SafetensorsTensor> parse_safetensors(std::string_view header, std::uint64_t file_size);
std::vector<SafetensorsTensor> read_safetensors(const File& file);

}  // namespace neox
