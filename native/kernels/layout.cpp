#include "kernels/layout.h"

#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/half.h"
#include "kernels/kernels.h"

namespace neox {
namespace {

// A GGUF block of 32 columns of one row: the f16 scale, then the quants.
constexpr int kScaleBytes = 2;
constexpr int kQ8RowBytes = kScaleBytes + 32;
constexpr int kQ4RowBytes = kScaleBytes + 16;
// The same of 16 rows in a panel.
constexpr int kPanelScaleBytes = kPanelRows * kScaleBytes;
constexpr int kQ8PanelBytes = kPanelRows * kQ8RowBytes;
constexpr int kQ4PanelBytes = kPanelRows * kQ4RowBytes;

// Where the 4 bytes of (row, column group g) lie in a panel block, behind the scales. Q4_0 keeps columns 16
// to 31 in the high nibbles of the bytes that hold columns 0 to 15 in the low ones.
constexpr int group_offset(int row, int g) { return (g * kPanelRows + row) * 4; }

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

// Both block formats: the scale, then kGroups times 4 bytes of quants, which are stored xored with `flip`.
template <int kGroups>
void interleave_blocks(std::int64_t n_blocks, const std::byte* rows, std::size_t row_stride, int n_rows,
                       std::uint32_t flip, std::byte* panel) {
    constexpr int kRowBytes = kScaleBytes + 4 * kGroups;
    for (std::int64_t block = 0; block < n_blocks; ++block, panel += kPanelRows * kRowBytes) {
        for (int row = 0; row < n_rows; ++row) {
            const std::byte* src = rows + static_cast<std::size_t>(row) * row_stride + block * kRowBytes;
            std::memcpy(panel + row * kScaleBytes, src, kScaleBytes);
            for (int g = 0; g < kGroups; ++g) {
                std::uint32_t quants;
                std::memcpy(&quants, src + kScaleBytes + 4 * g, 4);
                quants ^= flip;
                std::memcpy(panel + kPanelScaleBytes + group_offset(row, g), &quants, 4);
            }
        }
    }
}

float load_scale(const std::byte* panel_block, int row) {
    std::uint16_t bits;
    std::memcpy(&bits, panel_block + row * kScaleBytes, sizeof(bits));
    return f16_to_f32(bits);
}

}  // namespace

bool is_resident_dtype(DType dtype) {
    switch (dtype) {
        case DType::F32:
        case DType::F16:
        case DType::BF16:
        case DType::Q8_0:
        case DType::Q4_0: return true;
        default: return false;
    }
}

std::size_t resident_panel_bytes(DType dtype, std::int64_t n_cols) {
    if (!is_resident_dtype(dtype))
        fail(ErrorCode::unsupported, "The CPU kernels have no resident layout for tensor type ",
             static_cast<int>(dtype), ".");
    if (n_cols <= 0) fail(ErrorCode::format_shape, "A weight matrix cannot have ", n_cols, " columns.");
    const std::uint64_t row = row_bytes(dtype, static_cast<std::uint64_t>(n_cols));
    const std::uint64_t panel = checked_mul(row, kPanelRows, "A panel of 16 rows");
    if (panel > std::numeric_limits<std::size_t>::max() / 2)
        fail(ErrorCode::format_overflow, "A panel of 16 rows of ", n_cols,
             " columns does not fit into memory.");
    return static_cast<std::size_t>(panel);
}

void layout_panel(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, int n_rows,
                  std::byte* panel) {
    const std::size_t panel_bytes = resident_panel_bytes(dtype, n_cols);
    if (n_rows < 1 || n_rows > kPanelRows)
        fail(ErrorCode::invalid_argument, "A panel takes 1 to 16 rows, not ", n_rows, ".");
    // Zero scales are enough to make the missing rows zero, whatever their quants.
    if (n_rows < kPanelRows) std::memset(panel, 0, panel_bytes);
    switch (dtype) {
        case DType::F32: interleave<std::uint32_t>(n_cols, rows, row_stride, n_rows, panel); break;
        case DType::F16:
        case DType::BF16: interleave<std::uint16_t>(n_cols, rows, row_stride, n_rows, panel); break;
        case DType::Q8_0:  // q + 128
            interleave_blocks<8>(n_cols / kQuantBlock, rows, row_stride, n_rows, 0x80808080u, panel);
            break;
        case DType::Q4_0:
            interleave_blocks<4>(n_cols / kQuantBlock, rows, row_stride, n_rows, 0, panel);
            break;
        default: fail(ErrorCode::internal, "A resident type without a layout.");
    }
}

void read_resident_row(const ResidentMatrix& matrix, std::int64_t row, float* out) {
    if (row < 0 || row >= matrix.n_rows)
        fail(ErrorCode::invalid_argument, "Row ", row, " of a matrix of ", matrix.n_rows, " rows.");
    const std::byte* panel = matrix.data + static_cast<std::size_t>(row / kPanelRows) * matrix.panel_bytes;
    const int lane = static_cast<int>(row % kPanelRows);
    for (std::int64_t k = 0; k < matrix.n_cols; ++k) {
        const std::int64_t element = k * kPanelRows + lane;
        const std::int64_t block = k / kQuantBlock;
        const int column = static_cast<int>(k % kQuantBlock);
        std::uint16_t bits = 0;
        switch (matrix.dtype) {
            case DType::F32: std::memcpy(&out[k], panel + element * 4, 4); break;
            case DType::F16:
                std::memcpy(&bits, panel + element * 2, 2);
                out[k] = f16_to_f32(bits);
                break;
            case DType::BF16:
                std::memcpy(&bits, panel + element * 2, 2);
                out[k] = bf16_to_f32(bits);
                break;
            case DType::Q8_0: {
                const std::byte* src = panel + block * kQ8PanelBytes;
                const int offset = group_offset(lane, column / 4) + column % 4;
                const int q = std::to_integer<int>(src[kPanelScaleBytes + offset]) - 128;
                out[k] = load_scale(src, lane) * static_cast<float>(q);
                break;
            }
            case DType::Q4_0: {
                const std::byte* src = panel + block * kQ4PanelBytes;
                const int offset = group_offset(lane, column % 16 / 4) + column % 4;
                const int byte = std::to_integer<int>(src[kPanelScaleBytes + offset]);
                out[k] =
                    load_scale(src, lane) * static_cast<float>((column < 16 ? byte & 15 : byte >> 4) - 8);
                break;
            }
            default:
                fail(ErrorCode::unsupported, "Tensor type ", static_cast<int>(matrix.dtype),
                     " is not resident.");
        }
    }
}

}  // namespace neox
