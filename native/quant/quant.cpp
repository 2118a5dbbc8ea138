#include "quant/quant.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/half.h"
#include "quant/dequantize.h"

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

// The largest finite f16 is 65504; from 65520 on a value rounds to infinity.
void check_f16_range(const float* x, std::int64_t n) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const auto fits = [](float v) { return !(std::fabs(v) >= 65520.0f && std::fabs(v) < kInfinity); };
    bool is_good = true;
    for (std::int64_t i = 0; i < n; ++i) is_good &= fits(x[i]);
    if (is_good) return;
    for (std::int64_t i = 0; i < n; ++i)
        if (!fits(x[i]))
            fail(ErrorCode::format_value, "Column ", i, " of a row is ", x[i],
                 ", which F16 cannot represent; choose F32 or BF16.");
}

// Scale: the largest magnitude is 127. Rounding: to nearest, ties away from zero.
void quantize_q8_0(const float* src, std::int64_t n, std::byte* dst) {
    constexpr int kLength = kSmallBlockLength;
    for (std::int64_t i = 0; i < n; i += kLength, src += kLength, dst += sizeof(BlockQ8_0)) {
        float largest = 0.0f;
        for (int j = 0; j < kLength; ++j) largest = std::max(largest, std::fabs(src[j]));
        const float d = largest / 127.0f;
        // Where d is too small to have an inverse in float, the block's scale is 0 in f16 anyway.
        const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
        const float id = std::isfinite(inverse) ? inverse : 0.0f;
        BlockQ8_0 block;
        block.d = f32_to_f16(d);
        for (int j = 0; j < kLength; ++j) {
            // A subnormal d can make the quotient exceed 127.
            const float q = std::clamp(src[j] * id, -128.0f, 127.0f);
            const int whole = static_cast<int>(q);
            const float rest = q - static_cast<float>(whole);  // exact
            block.qs[j] = static_cast<std::int8_t>(whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0));
        }
        std::memcpy(dst, &block, sizeof(block));
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

bool can_quantize(DType dtype) { return can_dequantize(dtype); }

bool needs_code_search(DType dtype) {
    switch (dtype) {
        case DType::F32:
        case DType::F16:
        case DType::BF16:
        case DType::Q8_0: return false;
        default: return can_quantize(dtype);
    }
}

void check_quantizable(const float* x, std::int64_t n) {
    constexpr float kLargestF16 = 65504.0f;
    bool is_good = true;
    for (std::int64_t i = 0; i < n; ++i) is_good &= std::fabs(x[i]) <= kLargestF16;
    if (is_good) return;
    for (std::int64_t i = 0; i < n; ++i)
        if (!(std::fabs(x[i]) <= kLargestF16))
            fail(ErrorCode::format_value, "Column ", i, " of a row is ", x[i],
                 "; only finite values up to 65504 can be quantized.");
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
        case DType::F16:
            check_f16_range(src, n);
            encode<std::uint16_t>(src, n, dst, f32_to_f16);
            return;
        case DType::BF16: encode<std::uint16_t>(src, n, dst, f32_to_bf16); return;
        case DType::Q8_0:
            check_quantizable(src, n);
            quantize_q8_0(src, n, dst);
            return;
        default:
            fail(ErrorCode::unsupported, "Type ", dtype_info(dtype).name,
                 " holds no weights, or needs a search for its scales.");
    }
}

}  // namespace neox
