// The common loop of convert, quantize and synth: fills the tensors of a GGUF file in slices of rows, in
// parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "gguf/gguf.h"
#include "jobs/control.h"
#include "model/source.h"

namespace neox {

// Makes rows [row_begin, row_begin + n_rows) of tensor `index` of the file being written, row_bytes() apart;
// called from several threads at once.
using MakeRows =
    std::function<void(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows, std::byte* dst)>;

// Writes every tensor of writer.file(); memory is bounded by a few MiB a thread, or one row where that is
// more. Does not commit.
void write_tensors(GgufWriter& writer, const MakeRows& make_rows, const JobControl& control);

// As above, from a source whose tensors are those of the file in the same order, converted to the file's
// types. ERR_NEOX_FORMAT_VALUE for a value that the type cannot hold.
void write_converted(GgufWriter& writer, const TensorSource& source, const JobControl& control);

}  // namespace neox
