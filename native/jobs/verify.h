// Whether every number of a model's tensors is finite. That the tensors are all there, with the right shapes and within their
// files, is what opening the model finds out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/control.h"

namespace neox {

struct BadTensor {
    std::string name;
    std::uint64_t n_nan = 0;
    std::uint64_t n_infinite = 0;
    std::uint64_t row = 0, column = 0;  // of the first such number
};

struct VerifyResult {
    std::uint64_t n_tensors = 0;
    std::uint64_t n_elements = 0;
    std::uint64_t n_bytes = 0;   // of tensor data, all of it read
    std::vector<BadTensor> bad;  // in file order
};

// Reads a .gguf file or a Hugging Face directory in slices, in parallel. Throws what opening throws (the format codes,
// ERR_NEOX_FILE_NOT_FOUND), ERR_NEOX_IO, ERR_NEOX_FORMAT_TRUNCATED, ERR_NEOX_CANCELLED.
VerifyResult verify(const std::string& path, const JobControl& control = {});

}  // namespace neox
