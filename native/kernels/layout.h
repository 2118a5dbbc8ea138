// The resident layout of a weight matrix on the CPU: 16 rows interleaved, a panel, so that one vector register holds the
// same columns of 16 rows and no product needs a horizontal sum.
//
// A step reads every byte once, so the bytes lie in the order in which it wants them: one stream, without jumps, in
// which few activations are needed at a time. (Those of a whole row would be driven out of the first-level cache by the
// weights, and their way back queues behind the weights'.)
//   slab   8 panels one after the other, the last slab what is left
//   tile   within a slab: 256 columns (the last fewer) of a pair of panels (the last maybe a single one), all pairs of
//          these columns before the next columns
// Within a tile the panels of the pair alternate; [n] stands for 2, or 1 without a second panel:
//   F32        [column][n][16 rows] f32
//   F16, BF16  [column][n][16 rows] u16
//   Quantized types, in blocks of 32 columns: [n] heads, then for each block that shares them [n] scales and
//   [vectors][n] codes.
// The parts of a panel:
//   head    one for 8 blocks in the K types, else for each: [16 rows] f16 d, then where the file has it f16 m or dmin
//   scales  K types only: [2][16 rows] bytes for each block
//             Q4_K, Q5_K: scale, minimum (0 to 63; the file packs each into 6 bits)
//             Q6_K, Q3_K: scale of columns 0 to 15, of 16 to 31 (signed)
//             Q2_K:       scale | minimum << 4 of columns 0 to 15, of 16 to 31
//   codes   [vectors][16 rows][4 columns] bytes, a vector holding several groups g of 4 columns side by side:
//             8 bits  8 vectors: g
//             4 bits  4 vectors: g in the low nibble, g + 4 in the high one
//             2 bits  2 vectors: g, g + 2, g + 4, g + 6 from the lowest bits on
//             5 bits  1 vector of fifth bits: bit g of a byte is that of group g; then as 4
//             3 bits  1 vector of third bits, likewise; then as 2
//             6 bits  as 4, but before the vectors of groups 2 w and 2 w + 1 one of upper bits: those of groups 2 w,
//                     2 w + 1, 2 w + 4, 2 w + 5 from the lowest bits on
// A code is the file's unsigned integer; Q8_0's is q + 128. So the bytes are the file's but in Q4_K (148 for 144),
// Q5_K (180 for 176) and Q3_K (114 for 110), whose scales take whole bytes.
// Rows beyond n_rows in the last panel hold zeros. Other formats are added here and in the kernels, nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/slabs.h"
#include "tensor/dtype.h"

namespace neox {

// Describes a matrix in resident layout; the owner of the memory is whoever laid it out.
struct ResidentMatrix {
    DType dtype = DType::F32;
    std::int64_t n_rows = 0;
    std::int64_t n_cols = 0;
    std::size_t panel_bytes = 0;
    const std::byte* data = nullptr;

    std::int64_t n_panels() const { return (n_rows + kPanelRows - 1) / kPanelRows; }
    TilePlace place(std::int64_t panel, std::int64_t column) const {
        return place_tile(n_panels(), n_cols, panel_bytes, panel, column);
    }
};

// Whether a weight matrix of this type can be resident as it is.
bool is_resident_dtype(DType dtype);

// Bytes of one panel of 16 rows. Throws ERR_NEOX_UNSUPPORTED / ERR_NEOX_FORMAT_SHAPE.
std::size_t resident_panel_bytes(DType dtype, std::int64_t n_cols);

// Lays out n_rows > 0 rows, given in GGUF row layout `row_stride` bytes apart, as the panels from `panel` on of the matrix in
// `data`, in the order of its bytes; zeros follow in a last panel that is not full. Different panels may be laid out by several
// threads at once.
void layout_panels(const Kernels& kernels, const ResidentMatrix& matrix, std::byte* data, std::int64_t panel,
                   const std::byte* rows, std::size_t row_stride, std::int64_t n_rows);

// The inverse for one row, as f32 (tests, debugging).
void read_resident_row(const ResidentMatrix& matrix, std::int64_t row, float* out);

}  // namespace neox
