#include "kernels/layout.h"

#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/half.h"
#include "kernels/kernels.h"
#include "kernels/layout_blocks.h"

namespace neox {
namespace {

template <class T>
void interleave(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, int n_rows,
                std::byte* panel) {
    constexpr std::int64_t kStep = kPanelRows * sizeof(T);
    for (int row = 0; row < n_rows; ++row) {
        const std::byte* src = rows + static_cast<std::size_t>(row) * row_stride;
        std::byte* dst = panel + static_cast<std::size_t>(row) * sizeof(T);
        for (std::int64_t k = 0; k < n_cols; ++k, src += sizeof(T), dst += kStep)
            std::memcpy(dst, src, sizeof(T));
    }
}

}  // namespace

bool is_resident_dtype(DType dtype) {
    return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16 || find_block_layout(dtype);
}

std::size_t resident_panel_bytes(DType dtype, std::int64_t n_cols) {
    if (!is_resident_dtype(dtype))
        fail(ErrorCode::unsupported, "The CPU kernels have no resident layout for tensor type ",
             static_cast<int>(dtype), ".");
    if (n_cols <= 0) fail(ErrorCode::format_shape, "A weight matrix cannot have ", n_cols, " columns.");
    // Also refuses rows that are no whole blocks.
    std::uint64_t bytes = row_bytes(dtype, static_cast<std::uint64_t>(n_cols));
    if (const BlockLayout* layout = find_block_layout(dtype))
        bytes = checked_mul(static_cast<std::uint64_t>(n_cols) /
                                (32u * static_cast<unsigned>(layout->n_blocks())),
                            layout->group_bytes(), "A panel of 16 rows");
    else
        bytes = checked_mul(bytes, kPanelRows, "A panel of 16 rows");
    if (bytes > std::numeric_limits<std::size_t>::max() / 2)
        fail(ErrorCode::format_overflow, "A panel of 16 rows of ", n_cols,
             " columns does not fit into memory.");
    return static_cast<std::size_t>(bytes);
}

void layout_panel(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, int n_rows,
                  std::byte* panel) {
    const std::size_t panel_bytes = resident_panel_bytes(dtype, n_cols);
    if (n_rows < 1 || n_rows > kPanelRows)
        fail(ErrorCode::invalid_argument, "A panel takes 1 to 16 rows, not ", n_rows, ".");
    // Zero scales are enough to make the missing rows zero, whatever their codes.
    if (n_rows < kPanelRows) std::memset(panel, 0, panel_bytes);
    if (find_block_layout(dtype)) {
        lay_out_blocks(dtype, n_cols, rows, row_stride, n_rows, panel);
    } else if (dtype == DType::F32) {
        interleave<std::uint32_t>(n_cols, rows, row_stride, n_rows, panel);
    } else {
        interleave<std::uint16_t>(n_cols, rows, row_stride, n_rows, panel);
    }
}

void read_resident_row(const ResidentMatrix& matrix, std::int64_t row, float* out) {
    if (row < 0 || row >= matrix.n_rows)
        fail(ErrorCode::invalid_argument, "Row ", row, " of a matrix of ", matrix.n_rows, " rows.");
    const std::byte* panel = matrix.data + static_cast<std::size_t>(row / kPanelRows) * matrix.panel_bytes;
    const int lane = static_cast<int>(row % kPanelRows);
    const BlockLayout* layout = find_block_layout(matrix.dtype);
    for (std::int64_t k = 0; k < matrix.n_cols; ++k) {
        const std::int64_t element = k * kPanelRows + lane;
        if (layout) {
            out[k] = read_resident_value(*layout, panel, lane, k);
        } else if (matrix.dtype == DType::F32) {
            std::memcpy(&out[k], panel + element * 4, 4);
        } else {
            std::uint16_t bits;
            std::memcpy(&bits, panel + element * 2, 2);
            out[k] = matrix.dtype == DType::F16 ? f16_to_f32(bits) : bf16_to_f32(bits);
        }
    }
}

}  // namespace neox
