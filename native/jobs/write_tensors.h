// The common loop of convert, quantize and synth: fills the tensors of a GGUF file in slices of rows, in
// parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "gguf/gguf.h"
#include "jobs/control.h"
#include "jobs/tensor_errors.h"
#include "jobs/tensor_importance.h"
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
// types. Where `errors` is given it gets what that did to the matrices whose types changed, in file order.
// ERR_NEOX_FORMAT_VALUE for a value that the type cannot hold.
void write_converted(GgufWriter& writer, const TensorSource& source, const TensorImportance& importance,
                     std::vector<TensorError>* errors, const JobControl& control);

}  // namespace neox
