// A Hugging Face directory -> one GGUF file that this project and llama.cpp read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/control.h"
#include "tensor/dtype.h"

namespace neox {

struct ConvertOptions {
    std::string source;  // the directory
    std::string output;  // replaced when it exists, and only when all is written
    std::optional<DType>
        type;          // F32, F16, BF16, Q8_0, Q4_0; nullopt keeps the checkpoint's (see jobs/file_type.h)
    std::string name;  // general.name; empty: the directory's name
    std::string chat_format;  // neox.chat_format; empty: the checkpoint's own hint, if any
};

struct ConvertResult {
    std::uint64_t n_bytes = 0;           // of tensor data
    std::vector<std::string> fallbacks;  // tensors that became F16 because of their row length
};

// The tokenizer is carried byte for byte (neox.tokenizer.*) and spelt out for llama.cpp (tokenizer.ggml.*).
// Throws the format codes, ERR_NEOX_IO, ERR_NEOX_UNSUPPORTED, ERR_NEOX_CANCELLED; then nothing is left
// behind.
ConvertResult convert(const ConvertOptions& options, const JobControl& control = {});

}  // namespace neox
