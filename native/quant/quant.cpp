#include "quant/quant.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "quant/dequantize.h"
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

template <class Block> void decode_blocks(const std::byte* src, std::int64_t n, float* dst) {
    const std::int64_t length = sizeof(Block) < sizeof(BlockQ2_K) ? kSmallBlockLength : kSuperBlockLength;
    for (std::int64_t i = 0; i < n; i += length, src += sizeof(Block)) {
        Block block;
        std::memcpy(&block, src, sizeof(block));
        dequantize_block(block, dst + i);
    }
}

}  // namespace

bool can_dequantize(DType dtype) {
    switch (dtype) {
        case DType::I8:
        case DType::I16:
        case DType::I32:
        case DType::I64:
        case DType::F64: return false;
        default: return true;
    }
}

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
        case DType::Q4_0: decode_blocks<BlockQ4_0>(src, n, dst); return;
        case DType::Q4_1: decode_blocks<BlockQ4_1>(src, n, dst); return;
        case DType::Q5_0: decode_blocks<BlockQ5_0>(src, n, dst); return;
        case DType::Q5_1: decode_blocks<BlockQ5_1>(src, n, dst); return;
        case DType::Q8_0: decode_blocks<BlockQ8_0>(src, n, dst); return;
        case DType::IQ4_NL: decode_blocks<BlockIQ4_NL>(src, n, dst); return;
        case DType::Q2_K: decode_blocks<BlockQ2_K>(src, n, dst); return;
        case DType::Q3_K: decode_blocks<BlockQ3_K>(src, n, dst); return;
        case DType::Q4_K: decode_blocks<BlockQ4_K>(src, n, dst); return;
        case DType::Q5_K: decode_blocks<BlockQ5_K>(src, n, dst); return;
        case DType::Q6_K: decode_blocks<BlockQ6_K>(src, n, dst); return;
        default:
            fail(ErrorCode::unsupported, "Tensors of type ", dtype_info(dtype).name, " hold no weights.");
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
