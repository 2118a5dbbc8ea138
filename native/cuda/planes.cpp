#include "cuda/planes.h"

#include <limits>

#include "base/checked.h"

namespace neox::cuda {

namespace {

constexpr std::uint64_t kPlaneAlignment = 256;

std::uint64_t plane_end(std::uint64_t begin, std::uint64_t n_chunks, int chunk_bytes) {
    const std::uint64_t n = checked_mul(n_chunks, static_cast<std::uint64_t>(chunk_bytes), "plane");
    return checked_add(begin, checked_round_up(n, kPlaneAlignment, "plane"), "matrix");
}

std::uint64_t row_chunks(std::int64_t n_cols) {
    return checked_round_up(static_cast<std::uint64_t>(n_cols), kChunkColumns, "row") / kChunkColumns;
}

}  // namespace

void fail_no_planes(DType dtype) {
    fail(ErrorCode::unsupported, "Matrices of type ", dtype_info(dtype).name, " cannot be run on the GPU.");
}

MatrixLayout matrix_layout(DType dtype, std::int64_t n_rows, std::int64_t n_cols) {
    const PlaneBytes bytes = plane_bytes(dtype);
    if (bytes.codes == 0) fail_no_planes(dtype);
    if (n_rows <= 0 || n_cols <= 0)
        fail(ErrorCode::format_shape, "A matrix of ", n_rows, " rows and ", n_cols, " columns.");
    static_cast<void>(row_bytes(dtype, static_cast<std::uint64_t>(n_cols)));  // whole blocks
    const std::uint64_t rows = checked_round_up(static_cast<std::uint64_t>(n_rows), kRowUnit, "rows");
    const std::uint64_t n_chunks = checked_mul(rows, row_chunks(n_cols), "matrix");
    if (n_chunks > std::uint64_t{std::numeric_limits<std::int32_t>::max()} / kChunkGroups)
        fail(ErrorCode::unsupported, "A matrix of ", n_rows, " rows and ", n_cols,
             " columns is too large for the GPU's kernels.");
    MatrixLayout layout{};
    layout.high = plane_end(0, n_chunks, bytes.codes);
    layout.scales = plane_end(layout.high, n_chunks, bytes.high);
    layout.supers = plane_end(layout.scales, n_chunks, bytes.scales);
    layout.n_bytes = plane_end(layout.supers, n_chunks, bytes.supers);
    return layout;
}

MatrixView matrix_view(DType dtype, std::int64_t n_rows, std::int64_t n_cols, const std::byte* begin) {
    const MatrixLayout layout = matrix_layout(dtype, n_rows, n_cols);
    const PlaneBytes bytes = plane_bytes(dtype);
    const auto plane = [&](std::uint64_t offset, int n) { return n == 0 ? nullptr : begin + offset; };
    return {plane(layout.codes, bytes.codes),
            plane(layout.high, bytes.high),
            plane(layout.scales, bytes.scales),
            plane(layout.supers, bytes.supers),
            dtype,
            static_cast<std::int32_t>(n_rows),
            static_cast<std::int32_t>((n_cols + kGroupColumns - 1) / kGroupColumns * kGroupColumns),
            static_cast<std::int32_t>(row_chunks(n_cols))};
}

bool is_matrix(Role role) {
    switch (role) {
        case Role::token_embd:
        case Role::attn_qkv:
        case Role::attn_output:
        case Role::ffn_up:
        case Role::ffn_down:
        case Role::output: return true;
        default: return false;
    }
}

std::uint64_t device_bytes(const TensorSpec& tensor) {
    if (is_matrix(tensor.role)) return matrix_layout(tensor.dtype, tensor.n_rows, tensor.n_cols).n_bytes;
    const std::uint64_t padded =
        checked_round_up(static_cast<std::uint64_t>(tensor.n_cols), kGroupColumns, "vector");
    return checked_round_up(checked_mul(padded, sizeof(float), "vector"), kPlaneAlignment, "vector");
}

std::uint64_t device_bytes(std::span<const TensorSpec> tensors) {
    std::uint64_t sum = 0;
    for (const TensorSpec& tensor : tensors) sum = checked_add(sum, device_bytes(tensor), "weights");
    return sum;
}

}  // namespace neox::cuda
