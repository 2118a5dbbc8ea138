#include "model/cpu_weights.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "quant/quant.h"

namespace neox {

CpuWeights::CpuWeights(const Config& c) : config(c), layers(static_cast<std::size_t>(c.n_layer)) {}

OwnedMatrix* CpuWeights::matrix(Role role, std::int32_t layer) {
    if (role == Role::output) return &output;
    CpuLayer& l = layers.at(static_cast<std::size_t>(std::max(layer, 0)));
    switch (role) {
        case Role::attn_qkv: return &l.attn_qkv;
        case Role::attn_output: return &l.attn_output;
        case Role::ffn_up: return &l.ffn_up;
        case Role::ffn_down: return &l.ffn_down;
        default: return nullptr;
    }
}

AlignedBuffer<float>* CpuWeights::vector(Role role, std::int32_t layer) {
    if (role == Role::output_norm) return &output_norm;
    if (role == Role::output_norm_bias) return &output_norm_bias;
    CpuLayer& l = layers.at(static_cast<std::size_t>(std::max(layer, 0)));
    switch (role) {
        case Role::attn_norm: return &l.attn_norm;
        case Role::attn_norm_bias: return &l.attn_norm_bias;
        case Role::attn_qkv_bias: return &l.attn_qkv_bias;
        case Role::attn_output_bias: return &l.attn_output_bias;
        case Role::ffn_norm: return &l.ffn_norm;
        case Role::ffn_norm_bias: return &l.ffn_norm_bias;
        case Role::ffn_up_bias: return &l.ffn_up_bias;
        case Role::ffn_down_bias: return &l.ffn_down_bias;
        default: return nullptr;
    }
}

void CpuWeights::declare(Role role, std::int32_t layer, DType dtype, std::int64_t n_rows,
                         std::int64_t n_cols) {
    if (role == Role::token_embd) {
        token_embd_dtype_ = dtype;
        token_embd_row_ = row_bytes(dtype, static_cast<std::uint64_t>(n_cols));
        token_embd_ = PageBuffer(token_embd_row_ * static_cast<std::uint64_t>(n_rows));
        bytes_ += token_embd_.size();
    } else if (AlignedBuffer<float>* v = vector(role, layer)) {
        v->reset(static_cast<std::size_t>(n_cols));
        bytes_ += static_cast<std::uint64_t>(n_cols) * sizeof(float);
    } else {
        OwnedMatrix* m = matrix(role, layer);
        if (!m)
            fail(ErrorCode::internal, "Role ", static_cast<int>(role), " has no place in the CPU weights.");
        const std::size_t panel_bytes = resident_panel_bytes(dtype, n_cols);
        m->memory =
            PageBuffer(panel_bytes * static_cast<std::size_t>((n_rows + kPanelRows - 1) / kPanelRows));
        m->view = {dtype, n_rows, n_cols, panel_bytes, m->memory.data()};
        bytes_ += m->memory.size();
    }
}

std::uint64_t CpuWeights::tensor_bytes(const TensorSpec& tensor) {
    const auto n_rows = static_cast<std::uint64_t>(tensor.n_rows),
               n_cols = static_cast<std::uint64_t>(tensor.n_cols);
    if (tensor.role == Role::token_embd)
        return checked_mul(row_bytes(tensor.dtype, n_cols), n_rows, "embedding");
    if (tensor.n_rows == 1) return checked_mul(n_cols, sizeof(float), "vector");
    const std::uint64_t n_panels = (n_rows + kPanelRows - 1) / kPanelRows;
    return checked_mul(resident_panel_bytes(tensor.dtype, tensor.n_cols), n_panels, "matrix");
}

void CpuWeights::upload(const Upload& slice) {
    const std::uint64_t stride = row_bytes(slice.dtype, static_cast<std::uint64_t>(slice.n_cols));
    if (slice.role == Role::token_embd) {
        std::memcpy(token_embd_.data() + static_cast<std::uint64_t>(slice.row_begin) * stride, slice.rows,
                    static_cast<std::uint64_t>(slice.row_count) * stride);
    } else if (AlignedBuffer<float>* v = vector(slice.role, slice.layer)) {
        dequantize_row(slice.dtype, slice.rows, slice.n_cols, v->data());
    } else {
        OwnedMatrix* m = matrix(slice.role, slice.layer);
        if (!m || slice.row_begin % kPanelRows != 0)
            fail(ErrorCode::internal, "A slice of rows from ", slice.row_begin,
                 " cannot be laid out in panels.");
        std::byte* panel =
            m->memory.data() + static_cast<std::size_t>(slice.row_begin / kPanelRows) * m->view.panel_bytes;
        for (std::int64_t row = 0; row < slice.row_count; row += kPanelRows, panel += m->view.panel_bytes) {
            const int n = static_cast<int>(std::min<std::int64_t>(kPanelRows, slice.row_count - row));
            layout_panel(slice.dtype, slice.n_cols, slice.rows + static_cast<std::uint64_t>(row) * stride,
                         stride, n, panel);
        }
    }
}

void CpuWeights::embed(std::int32_t token, float* out) const {
    dequantize_row(token_embd_dtype_,
                   token_embd_.data() + static_cast<std::uint64_t>(token) * token_embd_row_, config.n_embd,
                   out);
}

}  // namespace neox
