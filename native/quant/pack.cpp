// The inverse of dequantize_*.cpp's unpacking; the layouts are those of quant/blocks.h.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "quant/blocks.h"
#include "quant/codes.h"
#include "quant/k_scales.h"

namespace neox {
namespace {

using Bytes = std::uint8_t*;
std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }

void pack_nibbles(const std::uint8_t* q, Bytes qs) {
    for (int j = 0; j < 16; ++j) qs[j] = byte((q[j] & 15) | (q[j + 16] & 15) << 4);
}

// Bit `bit` of 32 codes into 4 bytes.
void pack_bits(const std::uint8_t* q, int bit, Bytes out) {
    std::fill_n(out, 4, std::uint8_t{0});
    for (int i = 0; i < 32; ++i) out[i / 8] = byte(out[i / 8] | (q[i] >> bit & 1) << (i % 8));
}

// The low two bits of 256 codes: byte 32 half + l holds those of 128 half + 32 part + l, part 0 lowest.
void pack_pairs(const std::uint8_t* q, int shift, Bytes out) {
    for (int half = 0; half < 2; ++half)
        for (int l = 0; l < 32; ++l) {
            int bits = 0;
            for (int part = 0; part < 4; ++part)
                bits |= (q[128 * half + 32 * part + l] >> shift & 3) << (2 * part);
            out[32 * half + l] = byte(bits);
        }
}

// Bit `bit` of 256 codes: bit i / 32 of byte i % 32.
void pack_planes(const std::uint8_t* q, int bit, Bytes out) {
    for (int l = 0; l < 32; ++l) {
        int bits = 0;
        for (int part = 0; part < 8; ++part) bits |= (q[32 * part + l] >> bit & 1) << part;
        out[l] = byte(bits);
    }
}

void pack_halves(const std::uint8_t* q, Bytes qs) {  // the nibbles of Q4_K and Q5_K
    for (int part = 0; part < 4; ++part)
        for (int l = 0; l < 32; ++l) {
            const std::uint8_t* from = q + 64 * part + l;
            qs[32 * part + l] = byte((from[0] & 15) | (from[32] & 15) << 4);
        }
}

void pack_scales_and_mins(const BlockCodes& codes, std::uint8_t (&packed)[12]) {
    std::uint8_t scales[8], mins[8];
    std::copy_n(codes.scales, 8, scales);
    std::copy_n(codes.mins, 8, mins);
    pack_q4_scales(scales, mins, packed);
}

void pack(const BlockCodes& c, BlockQ4_0& b) {
    b.d = c.d;
    pack_nibbles(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockIQ4_NL& b) {
    b.d = c.d;
    pack_nibbles(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ4_1& b) {
    b.d = c.d, b.m = c.m;
    pack_nibbles(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ5_0& b) {
    b.d = c.d;
    pack_bits(c.q, 4, b.qh);
    pack_nibbles(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ5_1& b) {
    b.d = c.d, b.m = c.m;
    pack_bits(c.q, 4, b.qh);
    pack_nibbles(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ2_K& b) {
    for (int s = 0; s < 16; ++s) b.scales[s] = byte(c.scales[s] | c.mins[s] << 4);
    pack_pairs(c.q, 0, b.qs);
    b.d = c.d, b.dmin = c.m;
}
void pack(const BlockCodes& c, BlockQ3_K& b) {
    pack_planes(c.q, 2, b.hmask);
    pack_pairs(c.q, 0, b.qs);
    pack_q3_scales(c.scales, b.scales);
    b.d = c.d;
}
void pack(const BlockCodes& c, BlockQ4_K& b) {
    b.d = c.d, b.dmin = c.m;
    pack_scales_and_mins(c, b.scales);
    pack_halves(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ5_K& b) {
    b.d = c.d, b.dmin = c.m;
    pack_scales_and_mins(c, b.scales);
    pack_planes(c.q, 4, b.qh);
    pack_halves(c.q, b.qs);
}
void pack(const BlockCodes& c, BlockQ6_K& b) {
    for (int half = 0; half < 2; ++half)
        for (int l = 0; l < 64; ++l) {
            const std::uint8_t* from = c.q + 128 * half + l;
            b.ql[64 * half + l] = byte((from[0] & 15) | (from[64] & 15) << 4);
        }
    pack_pairs(c.q, 4, b.qh);
    std::memcpy(b.scales, c.scales, sizeof(b.scales));
    b.d = c.d;
}

template <class Block> void pack_to(const BlockCodes& codes, std::byte* dst) {
    Block block;
    pack(codes, block);
    std::memcpy(dst, &block, sizeof(block));
}

}  // namespace

void pack_block(DType dtype, const BlockCodes& codes, std::byte* dst) {
    switch (dtype) {
        case DType::Q4_0: pack_to<BlockQ4_0>(codes, dst); return;
        case DType::Q4_1: pack_to<BlockQ4_1>(codes, dst); return;
        case DType::Q5_0: pack_to<BlockQ5_0>(codes, dst); return;
        case DType::Q5_1: pack_to<BlockQ5_1>(codes, dst); return;
        case DType::IQ4_NL: pack_to<BlockIQ4_NL>(codes, dst); return;
        case DType::Q2_K: pack_to<BlockQ2_K>(codes, dst); return;
        case DType::Q3_K: pack_to<BlockQ3_K>(codes, dst); return;
        case DType::Q4_K: pack_to<BlockQ4_K>(codes, dst); return;
        case DType::Q5_K: pack_to<BlockQ5_K>(codes, dst); return;
        case DType::Q6_K: pack_to<BlockQ6_K>(codes, dst); return;
        default: fail(ErrorCode::unsupported, "Type ", dtype_info(dtype).name, " has no block codes.");
    }
}

}  // namespace neox
