// The one table of tensor types. Numbers are GGUF's (ggml_type), so a file's value can be compared directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace neox {

enum class DType : std::int32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ4_NL = 20,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    BF16 = 30,
};

struct DTypeInfo {
    DType dtype;
    const char* name;           // "Q4_0"
    std::int32_t block_length;  // elements of one block; rows are multiples of it
    std::int32_t block_bytes;
};

// nullptr for a number that the table does not hold.
const DTypeInfo* find_dtype(std::int32_t number);
// Throws ERR_NEOX_UNSUPPORTED for a value outside the table.
const DTypeInfo& dtype_info(DType dtype);
// Whether elements share scales in blocks.
bool is_quantized(DType dtype);
// "Q4_0", in any case -> DType::Q4_0.
std::optional<DType> dtype_from_name(std::string_view name);

// Bytes of one row of n_cols elements; ERR_NEOX_FORMAT_SHAPE when n_cols is no multiple of the block length,
// ERR_NEOX_FORMAT_OVERFLOW when it does not fit.
std::uint64_t row_bytes(DType dtype, std::uint64_t n_cols);

}  // namespace neox
