#include "tensor/dtype.h"

#include "base/ascii.h"
#include "base/checked.h"

namespace neox {
namespace {

constexpr DTypeInfo kDTypes[] = {
    {DType::F32, "F32", 1, 4},         {DType::F16, "F16", 1, 2},       {DType::Q4_0, "Q4_0", 32, 18},
    {DType::Q4_1, "Q4_1", 32, 20},     {DType::Q5_0, "Q5_0", 32, 22},   {DType::Q5_1, "Q5_1", 32, 24},
    {DType::Q8_0, "Q8_0", 32, 34},     {DType::Q2_K, "Q2_K", 256, 84},  {DType::Q3_K, "Q3_K", 256, 110},
    {DType::Q4_K, "Q4_K", 256, 144},   {DType::Q5_K, "Q5_K", 256, 176}, {DType::Q6_K, "Q6_K", 256, 210},
    {DType::IQ4_NL, "IQ4_NL", 32, 18}, {DType::I8, "I8", 1, 1},         {DType::I16, "I16", 1, 2},
    {DType::I32, "I32", 1, 4},         {DType::I64, "I64", 1, 8},       {DType::F64, "F64", 1, 8},
    {DType::BF16, "BF16", 1, 2},
};

}  // namespace

const DTypeInfo* find_dtype(std::int32_t number) {
    for (const DTypeInfo& info : kDTypes)
        if (static_cast<std::int32_t>(info.dtype) == number) return &info;
    return nullptr;
}

const DTypeInfo& dtype_info(DType dtype) {
    const DTypeInfo* info = find_dtype(static_cast<std::int32_t>(dtype));
    if (!info) fail(ErrorCode::unsupported, "Unknown tensor type ", static_cast<std::int32_t>(dtype), ".");
    return *info;
}

bool is_quantized(DType dtype) { return dtype_info(dtype).block_length > 1; }

std::optional<DType> dtype_from_name(std::string_view name) {
    for (const DTypeInfo& info : kDTypes)
        if (equals_ignoring_case(info.name, name)) return info.dtype;
    return std::nullopt;
}

std::uint64_t row_bytes(DType dtype, std::uint64_t n_cols) {
    const DTypeInfo& info = dtype_info(dtype);
    const auto block_length = static_cast<std::uint64_t>(info.block_length);
    if (n_cols % block_length != 0)
        fail(ErrorCode::format_shape, "A row of ", n_cols, " elements is no multiple of ", info.name,
             "'s block of ", block_length, ".");
    return checked_mul(n_cols / block_length, static_cast<std::uint64_t>(info.block_bytes), "row size");
}

}  // namespace neox
