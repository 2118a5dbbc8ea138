// The resident layout of a weight matrix on the CPU: 16 rows interleaved, so that one vector register holds the same
// columns of 16 rows and no product needs a horizontal sum.
//
//   F32        [panel][k][16 rows] f32
//   F16, BF16  [panel][k][16 rows] u16
//   Q8_0       per 32 columns of a panel: 16 f16 scales, then [8][16 rows][4 k] bytes holding q + 128
//   Q4_0       per 32 columns of a panel: 16 f16 scales, then [4][16 rows][4 k] bytes: low nibble = column group g
//              (0 to 3), high nibble = column group g + 4, each holding q in 0..15 (value q - 8)
// Rows beyond n_rows in the last panel hold zeros. Other formats are added here and in the kernels, nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// Describes a matrix in resident layout; the owner of the memory is whoever laid it out.
struct ResidentMatrix {
    DType dtype = DType::F32;
    std::int64_t n_rows = 0;
    std::int64_t n_cols = 0;
    std::size_t panel_bytes = 0;
    const std::byte* data = nullptr;

    std::int64_t n_panels() const { return (n_rows + 15) / 16; }
};

// Whether a weight matrix of this type can be resident as it is.
bool is_resident_dtype(DType dtype);

// Bytes of one panel of 16 rows. Throws ERR_NEOX_UNSUPPORTED / ERR_NEOX_FORMAT_SHAPE.
std::size_t resident_panel_bytes(DType dtype, std::int64_t n_cols);

// Lays out up to 16 rows, given in GGUF row layout `row_stride` bytes apart, as one panel (n_rows < 16: zeros follow).
void layout_panel(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, int n_rows,
                  std::byte* panel);

// The inverse for one row, as f32 (tests, debugging).
void read_resident_row(const ResidentMatrix& matrix, std::int64_t row, float* out);

}  // namespace neox
