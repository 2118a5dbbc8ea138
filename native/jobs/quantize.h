// A GGUF file -> the same model in another type.
#pragma once

#include <string>

#include "jobs/control.h"
#include "jobs/output_types.h"

namespace neox {

struct QuantizeOptions {
    std::string source;
    std::string output;     // may be the source: it is replaced when all is written
    TypeRules types{};      // has_importance follows from imatrix
    std::string imatrix{};  // importance matrix, see model/imatrix.h; empty: every column counts the same
    bool measure_errors = false;  // fills WrittenFile::errors
    // Quantizing what is quantized adds one error to another; unless this is set it is
    // ERR_NEOX_INVALID_ARGUMENT.
    bool allow_requantize = false;
    std::string quantized_from{};  // neox.quantized_from; the source's own is dropped
    bool dry_run = false;          // tells the result, writes nothing
};

// Metadata is kept; general.file_type and general.quantization_version follow the new type. Reads and writes
// slices, so memory does not grow with the model. Throws as convert() does.
WrittenFile quantize(const QuantizeOptions& options, const JobControl& control = {});

}  // namespace neox
