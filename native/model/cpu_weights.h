// The weights of one model in the CPU's resident layout; immutable once loaded, shared by every backend over them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/page_buffer.h"
#include "kernels/layout.h"
#include "model/backend.h"
#include "model/config.h"

namespace neox {

// A matrix that owns its panels.
struct OwnedMatrix {
    PageBuffer memory;
    ResidentMatrix view;
};

struct CpuLayer {
    AlignedBuffer<float> attn_norm, attn_norm_bias;  // [n_embd]
    OwnedMatrix attn_qkv;                            // [3 n_embd, n_embd], rows Q | K | V
    AlignedBuffer<float> attn_qkv_bias;              // [3 n_embd]
    OwnedMatrix attn_output;                         // [n_embd, n_embd]
    AlignedBuffer<float> attn_output_bias;           // [n_embd]
    AlignedBuffer<float> ffn_norm, ffn_norm_bias;    // [n_embd]
    OwnedMatrix ffn_up;                              // [n_ff, n_embd]
    AlignedBuffer<float> ffn_up_bias;                // [n_ff]
    OwnedMatrix ffn_down;                            // [n_embd, n_ff]
    AlignedBuffer<float> ffn_down_bias;              // [n_embd]
};

class CpuWeights {
public:
    explicit CpuWeights(const Config& config);

    // See Device::declare and Device::upload. Throw ERR_NEOX_UNSUPPORTED for a type that cannot be resident.
    void declare(Role role, std::int32_t layer, DType dtype, std::int64_t n_rows, std::int64_t n_cols);
    void upload(const Upload& slice);
    std::uint64_t bytes() const { return bytes_; }
    // What declare() adds to bytes().
    static std::uint64_t tensor_bytes(const TensorSpec& tensor);

    // The embedding of one token, as f32 [n_embd].
    void embed(std::int32_t token, float* out) const;

    const Config config;
    std::vector<CpuLayer> layers;
    AlignedBuffer<float> output_norm, output_norm_bias;  // [n_embd]
    OwnedMatrix output;                                  // [n_vocab, n_embd]

private:
    OwnedMatrix* matrix(Role role, std::int32_t layer);
    AlignedBuffer<float>* vector(Role role, std::int32_t layer);

    // Rows are gathered, not multiplied, so the embedding keeps the file's row layout.
    PageBuffer token_embd_;
    DType token_embd_dtype_ = DType::F32;
    std::uint64_t token_embd_row_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace neox
