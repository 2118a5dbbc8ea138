// A Hugging Face directory -> one GGUF file that this project and llama.cpp read.
#pragma once

#include <string>

#include "jobs/control.h"
#include "jobs/output_types.h"

namespace neox {

struct ConvertOptions {
    std::string source;     // the directory
    std::string output;     // replaced when it exists, and only when all is written
    TypeRules types{};      // has_importance follows from imatrix
    std::string imatrix{};  // importance matrix, see model/imatrix.h; empty: every column counts the same
    bool measure_errors = false;   // fills WrittenFile::errors
    std::string quantized_from{};  // neox.quantized_from; see TensorSource::quantized_from()
    std::string name;              // general.name; empty: the directory's name
    std::string chat_format;       // neox.chat_format; empty: the checkpoint's own hint, if any
    std::string chat_template;     // tokenizer.chat_template; empty: tokenizer_config.json's, if any
};

// The tokenizer is carried byte for byte (neox.tokenizer.*) and spelt out for llama.cpp (tokenizer.ggml.*).
// Throws the format codes, ERR_NEOX_IO, ERR_NEOX_UNSUPPORTED, ERR_NEOX_CANCELLED; then nothing is left
// behind.
WrittenFile convert(const ConvertOptions& options, const JobControl& control = {});

}  // namespace neox
