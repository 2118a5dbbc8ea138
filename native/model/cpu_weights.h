// The weights of one model in the CPU's resident layout; immutable once loaded, shared by every backend over them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/page_buffer.h"
#include "kernels/layout.h"
#include "model/backend.h"
#include "model/config.h"

namespace neox {

struct CpuLayer {
    AlignedBuffer<float> attn_norm, attn_norm_bias;  // [n_embd]
    ResidentMatrix attn_qkv;                         // [3 n_embd, n_embd], rows Q | K | V
    AlignedBuffer<float> attn_qkv_bias;              // [3 n_embd]
    ResidentMatrix attn_output;                      // [n_embd, n_embd]
    AlignedBuffer<float> attn_output_bias;           // [n_embd]
    AlignedBuffer<float> ffn_norm, ffn_norm_bias;    // [n_embd]
    ResidentMatrix ffn_up;                           // [n_ff, n_embd]
    AlignedBuffer<float> ffn_up_bias;                // [n_ff]
    ResidentMatrix ffn_down;                         // [n_embd, n_ff]
    AlignedBuffer<float> ffn_down_bias;              // [n_embd]
};

class CpuWeights {
public:
    // See Device::create_weights and Device::upload. Throw ERR_NEOX_UNSUPPORTED for a type that cannot be resident, and
    // ERR_NEOX_OUT_OF_MEMORY.
    CpuWeights(const Config& config, std::span<const TensorSpec> tensors);
    void upload(const Upload& slice);
    std::uint64_t bytes() const { return bytes_; }
    // What a tensor adds to bytes().
    static std::uint64_t tensor_bytes(const TensorSpec& tensor);

    // The embedding of one token, as f32 [n_embd].
    void embed(std::int32_t token, float* out) const;

    const Config config;
    std::vector<CpuLayer> layers;
    AlignedBuffer<float> output_norm, output_norm_bias;  // [n_embd]
    ResidentMatrix output;                               // [n_vocab, n_embd]

private:
    ResidentMatrix* matrix(Role role, std::int32_t layer);
    AlignedBuffer<float>* vector(Role role, std::int32_t layer);

    // One mapping for the embedding and all matrices, in the file's order: whole huge pages but at its ends.
    PageBuffer memory_;
    // Rows are gathered, not multiplied, so the embedding keeps the file's row layout.
    std::byte* token_embd_ = nullptr;
    DType token_embd_dtype_ = DType::F32;
    std::uint64_t token_embd_row_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace neox
