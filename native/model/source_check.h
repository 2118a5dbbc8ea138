// Checks that the sources of tensors share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/config.h"
#include "tensor/tensor.h"

namespace neox {

// The tensors are those of the configuration: every expected one is there in its shape
// (ERR_NEOX_FORMAT_MISSING, ERR_NEOX_FORMAT_SHAPE) and there is no other (ERR_NEOX_UNSUPPORTED).
void check_tensors(const Config& config, const std::vector<Tensor>& tensors);
// ERR_NEOX_FORMAT_SHAPE naming the tensor, what it is and what was expected.
void check_shape(const Tensor& tensor, const ExpectedTensor& expected);
// ERR_NEOX_INVALID_ARGUMENT unless the rows exist.
void check_rows(const Tensor& tensor, std::uint64_t row_begin, std::uint64_t n_rows);
std::string identity_text(const FileIdentity& identity);

}  // namespace neox
