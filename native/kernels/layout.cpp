#include "kernels/layout.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "base/checked.h"
#include "base/half.h"
#include "kernels/kernels.h"
#include "kernels/layout_blocks.h"
#include "kernels/words.h"

namespace neox {
namespace {

// `to` is this panel's first value; the same one of the next column lies `step` values behind.
// Columns that four rows' words do not fill whole.
template <class T>
void interleave_rest(std::int64_t begin, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                     std::byte* to, std::int64_t step) {
    for (std::int64_t k = begin; k < n_cols; ++k)
        for (int row = 0; row < kPanelRows; ++row)
            std::memcpy(to + static_cast<std::size_t>(k * step + row) * sizeof(T),
                        rows + static_cast<std::size_t>(row) * row_stride +
                            static_cast<std::size_t>(k) * sizeof(T),
                        sizeof(T));
}

void interleave_words(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, std::byte* to,
                      std::int64_t step) {
    const std::int64_t whole = n_cols / 4 * 4;
    for (std::int64_t k = 0; k < whole; k += 4)
        for (int row = 0; row < kPanelRows; row += 4) {
            Words words[4];
            const RowGroup four{rows + static_cast<std::size_t>(row) * row_stride, row_stride};
            four.words<4>(static_cast<std::size_t>(k) * 4, words);
            for (int i = 0; i < 4; ++i)
                std::memcpy(to + static_cast<std::size_t>((k + i) * step + row) * 4, &words[i], 16);
        }
    interleave_rest<std::uint32_t>(whole, n_cols, rows, row_stride, to, step);
}

// Of 8 rows, the even ones give the lower and the odd ones the upper halves of words.
void interleave_halves(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, std::byte* to,
                       std::int64_t step) {
    const std::int64_t whole = n_cols / 8 * 8;
    for (std::int64_t k = 0; k < whole; k += 8)
        for (int row = 0; row < kPanelRows; row += 8) {
            Words even[4], odd[4];
            const std::byte* first = rows + static_cast<std::size_t>(row) * row_stride;
            RowGroup{first, 2 * row_stride}.words<4>(static_cast<std::size_t>(k) * 2, even);
            RowGroup{first + row_stride, 2 * row_stride}.words<4>(static_cast<std::size_t>(k) * 2, odd);
            for (int i = 0; i < 4; ++i) {
                const Words columns[2] = {(even[i] & 0xffffu) | odd[i] << 16,
                                          even[i] >> 16 | (odd[i] & 0xffff0000u)};
                for (int j = 0; j < 2; ++j)
                    std::memcpy(to + static_cast<std::size_t>((k + 2 * i + j) * step + row) * 2, &columns[j],
                                16);
            }
        }
    interleave_rest<std::uint16_t>(whole, n_cols, rows, row_stride, to, step);
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

void layout_panels(const Kernels& kernels, const ResidentMatrix& matrix, std::byte* data, std::int64_t panel,
                   const std::byte* rows, std::size_t row_stride, std::int64_t n_rows) {
    if (n_rows < 1) fail(ErrorCode::invalid_argument, "A panel takes rows, not ", n_rows, " of them.");
    const DType dtype = matrix.dtype;
    resident_panel_bytes(dtype, matrix.n_cols);  // refuses what has no layout
    const std::int64_t whole = n_rows / kPanelRows, end = panel + (n_rows + kPanelRows - 1) / kPanelRows;
    std::vector<std::byte> padded;  // the rows of a last panel that is not full
    if (n_rows % kPanelRows != 0) {
        // Zero scales are enough to make the missing rows zero, whatever their codes.
        padded.resize(kPanelRows * row_stride);
        const std::uint64_t row = row_bytes(dtype, static_cast<std::uint64_t>(matrix.n_cols));
        std::memcpy(padded.data(), rows + static_cast<std::size_t>(whole * kPanelRows) * row_stride,
                    static_cast<std::size_t>(n_rows % kPanelRows - 1) * row_stride + row);
    }
    const bool is_quantized = find_block_layout(dtype) != nullptr;
    const auto lay_out = [&](std::int64_t at, std::int64_t column) {
        const std::int64_t n = std::min(kTileCols, matrix.n_cols - column);
        const TilePlace place = matrix.place(at, column);
        const std::size_t first = static_cast<std::size_t>((at - panel) * kPanelRows) * row_stride;
        const std::byte* from = (at - panel < whole ? rows + first : padded.data()) +
                                row_bytes(dtype, static_cast<std::uint64_t>(column));
        std::byte* tile = data + place.offset;
        const std::int64_t step = place.width * kPanelRows;
        const auto side = static_cast<std::size_t>(place.side * kPanelRows);
        if (is_quantized) {
            kernels.lay_out_blocks(dtype, n, from, row_stride, tile, place.width, place.side);
        } else if (dtype == DType::F32) {
            interleave_words(n, from, row_stride, tile + 4 * side, step);
        } else {
            interleave_halves(n, from, row_stride, tile + 2 * side, step);
        }
    };
    for (std::int64_t slab = panel, next; slab < end; slab = next) {
        next = std::min(end, (slab / kSlabPanels + 1) * kSlabPanels);
        for (std::int64_t column = 0; column < matrix.n_cols; column += kTileCols)
            for (std::int64_t at = slab; at < next; ++at) lay_out(at, column);
    }
}

void read_resident_row(const ResidentMatrix& matrix, std::int64_t row, float* out) {
    if (row < 0 || row >= matrix.n_rows)
        fail(ErrorCode::invalid_argument, "Row ", row, " of a matrix of ", matrix.n_rows, " rows.");
    const int lane = static_cast<int>(row % kPanelRows);
    const BlockLayout* layout = find_block_layout(matrix.dtype);
    for (std::int64_t k = 0; k < matrix.n_cols; ++k) {
        const std::int64_t within = k % kTileCols;
        const TilePlace place = matrix.place(row / kPanelRows, k - within);
        const std::byte* tile = matrix.data + place.offset;
        const std::int64_t element = (within * place.width + place.side) * kPanelRows + lane;
        if (layout) {
            out[k] = read_resident_value(*layout, tile, place.width, place.side, lane, within);
        } else if (matrix.dtype == DType::F32) {
            std::memcpy(&out[k], tile + element * 4, 4);
        } else {
            std::uint16_t bits;
            std::memcpy(&bits, tile + element * 2, 2);
            out[k] = matrix.dtype == DType::F16 ? f16_to_f32(bits) : bf16_to_f32(bits);
        }
    }
}

}  // namespace neox
