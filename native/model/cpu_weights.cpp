#include "model/cpu_weights.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "kernels/dispatch.h"
#include "quant/quant.h"

namespace neox {

namespace {

// The others are vectors of f32.
bool is_mapped(Role role) {
    return role == Role::token_embd || role == Role::attn_qkv || role == Role::attn_output ||
           role == Role::ffn_up || role == Role::ffn_down || role == Role::output;
}

// In the mapping, a tensor begins where a line of the cache does.
std::uint64_t mapped_bytes(const TensorSpec& tensor) {
    if (!is_mapped(tensor.role)) return 0;
    return checked_add(CpuWeights::tensor_bytes(tensor), 63, "tensor") / 64 * 64;
}

}  // namespace

ResidentMatrix* CpuWeights::matrix(Role role, std::int32_t layer) {
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

CpuWeights::CpuWeights(const Config& c, std::span<const TensorSpec> tensors)
    : config(c), layers(static_cast<std::size_t>(c.n_layer)) {
    std::uint64_t n_mapped = 0;
    for (const TensorSpec& tensor : tensors) {
        bytes_ = checked_add(bytes_, tensor_bytes(tensor), "weights");
        n_mapped = checked_add(n_mapped, mapped_bytes(tensor), "weights");
    }
    memory_ = PageBuffer(n_mapped, "the weights");
    std::byte* at = memory_.data();
    for (const TensorSpec& tensor : tensors) {
        const auto n_cols = static_cast<std::uint64_t>(tensor.n_cols);
        if (tensor.role == Role::token_embd) {
            token_embd_ = at;
            token_embd_dtype_ = tensor.dtype;
            token_embd_row_ = row_bytes(tensor.dtype, n_cols);
        } else if (AlignedBuffer<float>* v = vector(tensor.role, tensor.layer)) {
            v->reset(n_cols);
        } else if (ResidentMatrix* m = matrix(tensor.role, tensor.layer)) {
            *m = {tensor.dtype, tensor.n_rows, tensor.n_cols,
                  resident_panel_bytes(tensor.dtype, tensor.n_cols), at};
        } else {
            fail(ErrorCode::internal, "Role ", static_cast<int>(tensor.role),
                 " has no place in the CPU weights.");
        }
        at += mapped_bytes(tensor);
    }
}

std::uint64_t CpuWeights::tensor_bytes(const TensorSpec& tensor) {
    const auto n_rows = static_cast<std::uint64_t>(tensor.n_rows),
               n_cols = static_cast<std::uint64_t>(tensor.n_cols);
    if (tensor.role == Role::token_embd)
        return checked_mul(row_bytes(tensor.dtype, n_cols), n_rows, "embedding");
    if (!is_mapped(tensor.role)) return checked_mul(n_cols, sizeof(float), "vector");
    const std::uint64_t n_panels = (n_rows + kPanelRows - 1) / kPanelRows;
    return checked_mul(resident_panel_bytes(tensor.dtype, tensor.n_cols), n_panels, "matrix");
}

void CpuWeights::upload(const Upload& slice) {
    const std::uint64_t stride = row_bytes(slice.dtype, static_cast<std::uint64_t>(slice.n_cols));
    if (slice.role == Role::token_embd) {
        std::memcpy(token_embd_ + static_cast<std::uint64_t>(slice.row_begin) * stride, slice.rows,
                    static_cast<std::uint64_t>(slice.row_count) * stride);
    } else if (AlignedBuffer<float>* v = vector(slice.role, slice.layer)) {
        dequantize_row(slice.dtype, slice.rows, slice.n_cols, v->data());
    } else {
        ResidentMatrix* m = matrix(slice.role, slice.layer);
        if (!m || slice.row_begin % kPanelRows != 0)
            fail(ErrorCode::internal, "A slice of rows from ", slice.row_begin,
                 " cannot be laid out in panels.");
        std::byte* data = memory_.data() + (m->data - memory_.data());
        layout_panels(active_kernels(), *m, data, slice.row_begin / kPanelRows, slice.rows, stride,
                      slice.row_count);
    }
}

void CpuWeights::embed(std::int32_t token, float* out) const {
    dequantize_row(token_embd_dtype_, token_embd_ + static_cast<std::uint64_t>(token) * token_embd_row_,
                   config.n_embd, out);
}

}  // namespace neox
