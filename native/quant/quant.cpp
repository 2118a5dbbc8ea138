#include "quant/quant.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "quant/legacy.h"

static_assert(std::endian::native == std::endian::little, "GGUF is read and written as little endian.");

namespace neox {
namespace {

void check_length(DType dtype, std::int64_t n) {
    const DTypeInfo& info = dtype_info(dtype);
    if (n < 0 || n % info.block_length != 0)
        fail(ErrorCode::format_shape, "A row of ", n, " elements is no multiple of ", info.name,
             "'s block of ", info.block_length, ".");
}

// Rows need not be aligned for their type.
template <class T, class Convert>
void decode(const std::byte* src, std::int64_t n, float* dst, Convert convert) {
    for (std::int64_t i = 0; i < n; ++i) {
        T v;
        std::memcpy(&v, src + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
        dst[i] = convert(v);
    }
}

template <class T, class Convert>
void encode(const float* src, std::int64_t n, std::byte* dst, Convert convert) {
    for (std::int64_t i = 0; i < n; ++i) {
        const T v = convert(src[i]);
        std::memcpy(dst + i * static_cast<std::int64_t>(sizeof(T)), &v, sizeof(T));
    }
}

}  // namespace

bool can_dequantize(DType dtype) { return can_quantize(dtype); }

bool can_quantize(DType dtype) {
    switch (dtype) {
        case DType::F32:
        case DType::F16:
        case DType::BF16:
        case DType::Q8_0:
        case DType::Q4_0: return true;
        default: return false;
    }
}

void dequantize_row(DType dtype, const std::byte* src, std::int64_t n, float* dst) {
    check_length(dtype, n);
    switch (dtype) {
        case DType::F32: std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(float)); return;
        case DType::F16: decode<std::uint16_t>(src, n, dst, f16_to_f32); return;
        case DType::BF16: decode<std::uint16_t>(src, n, dst, bf16_to_f32); return;
        case DType::Q8_0: dequantize_q8_0(src, n, dst); return;
        case DType::Q4_0: dequantize_q4_0(src, n, dst); return;
        default:
            fail(ErrorCode::unsupported, "Tensors of type ", dtype_info(dtype).name, " cannot be read yet.");
    }
}

void quantize_row(DType dtype, const float* src, std::int64_t n, std::byte* dst) {
    check_length(dtype, n);
    switch (dtype) {
        case DType::F32: std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(float)); return;
        case DType::F16: encode<std::uint16_t>(src, n, dst, f32_to_f16); return;
        case DType::BF16: encode<std::uint16_t>(src, n, dst, f32_to_bf16); return;
        case DType::Q8_0: quantize_q8_0(src, n, dst); return;
        case DType::Q4_0: quantize_q4_0(src, n, dst); return;
        default:
            fail(ErrorCode::unsupported, "Tensors of type ", dtype_info(dtype).name,
                 " cannot be written yet.");
    }
}

}  // namespace neox
