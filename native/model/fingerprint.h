// What tells weights apart, at the cost of a few rows.
#pragma once

#include <cstdint>

#include "model/load_plan.h"

namespace neox {

// A hash of which tensors are resident, in which types and shapes, and of the first, a middle and the last row of each, as
// the file stores them. Training changes some of these rows, whatever it changes; two loads of one file with one type
// have one fingerprint. Reads a few MiB. Throws what TensorSource::read_rows throws.
std::uint64_t fingerprint(const TensorSource& source, const LoadPlan& plan);

}  // namespace neox
