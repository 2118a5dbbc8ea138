// How weight matrices lie in the GPU's memory: the fields of a block apart, each a plane of its own, so that
// lanes of a warp load aligned pieces of 16 bytes that lie side by side, whatever the size of the file's block.
//
//   group   32 columns of a row: what a lane handles at a time
//   chunk   8 groups, 256 columns: a super block of the K types, and in each plane one contiguous piece
//   plane   [rows][chunks of a row][bytes of a chunk]; a piece of a chunk is found from row * row_chunks + chunk alone
// Rows are padded to a multiple of 16 and columns to whole chunks; what is padded holds zero bytes, which unpack to zeros
// (of either sign) in every format.
//
// Bytes of a chunk:
//             codes  high  scales  supers
//   F32        1024                        the numbers themselves
//   F16, BF16   512
//   Q8_0        256          16            codes q + 128; scales: d of a group, f16
//   Q4_0        128          16
//   IQ4_NL      128          16
//   Q4_1        128          32            scales: d, m of a group, f16
//   Q5_0        128    32    16
//   Q5_1        128    32    32
//   Q4_K        128          16       4    scales: scale, minimum of a group, a byte each; supers: d, dmin of the chunk, f16
//   Q5_K        128    32    16       4
//   Q6_K        128    64    16       2    scales: of columns 0 to 15, 16 to 31 of a group, each + 128; supers: d
//   Q3_K         64    32    16       2    likewise, the file's scale - 32
//   Q2_K         64          16       4    scales: scale | minimum << 4 of columns 0 to 15, 16 to 31; supers: d, dmin
//
// codes  Where a group has more than 16 bytes, a chunk is [part][group][16 bytes]: lanes that take consecutive groups load
//        consecutive pieces: 64 bytes of a row where a product takes four groups of it at a time, 32 in matmul's largest tile.
//        Where it has less (Q2_K, Q3_K), a chunk is [group][8 bytes].
//          8 bits  byte c is column c
//          4 bits  word w has columns 8 w + i: nibble i / 2 + 4 (i % 2), so that a mask finds two neighbours as halves of a
//                  pair of f16. IQ4_NL: nibble i, as its values are looked up byte by byte.
//          2 bits  word w has columns 16 w + i: bits 2 (i / 2) + 16 (i % 2) and the next
// high   the bits above those of codes, [group][4 or 8 bytes], placed where a rotation brings two or four columns' bits under
//        the masks that follow their low bits. Column 2 j + h has, modulo 32:
//          fifth bit   bit 4 + 4 (j % 2) + 16 h + k, k = m % 4 + 8 (m / 4), m = j / 2
//          Q6_K        word j / 8, m = j % 8 / 2: bits 4 + 4 (j % 2) + 16 h + k and the next, k = 2 (m % 2) + 8 (m / 2)
//          third bit   bit 2 + 16 h + j
// Pieces of 16 bytes are aligned to 16, every plane to 256. The sums are the file's bytes but for Q4_K (148 for 144 bytes of 256
// columns), Q5_K (180 for 176) and Q3_K (114 for 110).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/backend.h"
#include "tensor/dtype.h"

namespace neox::cuda {

inline constexpr int kGroupColumns = 32;
inline constexpr int kChunkGroups = 8;
inline constexpr int kChunkColumns = kGroupColumns * kChunkGroups;
inline constexpr int kRowUnit = 16;

// Of one chunk of one row; all 0 for a type that has no planes.
struct PlaneBytes {
    int codes, high, scales, supers;
};

constexpr PlaneBytes plane_bytes(DType dtype) {
    switch (dtype) {
        case DType::F32: return {1024, 0, 0, 0};
        case DType::F16:
        case DType::BF16: return {512, 0, 0, 0};
        case DType::Q8_0: return {256, 0, 16, 0};
        case DType::Q4_0:
        case DType::IQ4_NL: return {128, 0, 16, 0};
        case DType::Q4_1: return {128, 0, 32, 0};
        case DType::Q5_0: return {128, 32, 16, 0};
        case DType::Q5_1: return {128, 32, 32, 0};
        case DType::Q4_K: return {128, 0, 16, 4};
        case DType::Q5_K: return {128, 32, 16, 4};
        case DType::Q6_K: return {128, 64, 16, 2};
        case DType::Q3_K: return {64, 32, 16, 2};
        case DType::Q2_K: return {64, 0, 16, 4};
        default: return {0, 0, 0, 0};
    }
}

// A matrix whose planes are in the GPU's memory: plain data for kernels. Planes that its type lacks are null.
struct MatrixView {
    const std::byte* codes;
    const std::byte* high;
    const std::byte* scales;
    const std::byte* supers;
    DType dtype;
    std::int32_t n_rows;      // as in the file; memory is there up to the next multiple of 16
    std::int32_t n_cols;      // padded to a multiple of 32, with zeros
    std::int32_t row_chunks;  // from a row to the next, in every plane
};

// ERR_NEOX_UNSUPPORTED, naming the type.
[[noreturn]] void fail_no_planes(DType dtype);

// Where the planes of a matrix begin, in bytes from its own beginning.
struct MatrixLayout {
    std::uint64_t codes, high, scales, supers;
    std::uint64_t n_bytes;  // a multiple of 256
};

// Throws ERR_NEOX_UNSUPPORTED, naming the type, for one without planes or a matrix with 2^31 groups or more, and
// ERR_NEOX_FORMAT_SHAPE for columns that are no multiple of the type's block.
MatrixLayout matrix_layout(DType dtype, std::int64_t n_rows, std::int64_t n_cols);
// The view of a matrix that lies at `begin`, which need not be followed here.
MatrixView matrix_view(DType dtype, std::int64_t n_rows, std::int64_t n_cols, const std::byte* begin);

// Whether a tensor is held as planes; the others are vectors of f32.
bool is_matrix(Role role);
// What a tensor takes in the GPU's memory, a multiple of 256: a matrix as above, a vector f32 with zeros up to a multiple of 32
// elements. Throws what matrix_layout throws.
std::uint64_t device_bytes(const TensorSpec& tensor);
// All of them together: what cuda/weights.h allocates.
std::uint64_t device_bytes(std::span<const TensorSpec> tensors);

}  // namespace neox::cuda
