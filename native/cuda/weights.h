// The weights of one model, or of some of its layers, in the GPU's memory; immutable once uploaded, shared by every backend over
// them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "cuda/planes.h"
#include "cuda/runtime.h"
#include "cuda/uploader.h"
#include "model/backend.h"
#include "model/config.h"

namespace neox::cuda {

// Addresses are the GPU's; null and empty for what the device was not given. Vectors are f32, with zeros up to a multiple of 32.
struct LayerWeights {
    const float *attn_norm, *attn_norm_bias;  // [n_embd]
    MatrixView attn_qkv;                      // [3 n_embd, n_embd], rows Q | K | V
    const float* attn_qkv_bias;               // [3 n_embd]
    MatrixView attn_output;                   // [n_embd, n_embd]
    const float* attn_output_bias;            // [n_embd]
    const float *ffn_norm, *ffn_norm_bias;    // [n_embd]
    MatrixView ffn_up;                        // [n_ff, n_embd]
    const float* ffn_up_bias;                 // [n_ff]
    MatrixView ffn_down;                      // [n_embd, n_ff]
    const float* ffn_down_bias;               // [n_embd]
};

struct ModelWeights {
    MatrixView token_embd;  // [n_vocab, n_embd]
    std::vector<LayerWeights> layers;
    const float *output_norm, *output_norm_bias;  // [n_embd]
    MatrixView output;                            // [n_vocab, n_embd]
};

class Weights {
public:
    // See Device::create_weights and Device::upload. Throw ERR_NEOX_UNSUPPORTED for a type without planes, ERR_NEOX_OUT_OF_MEMORY
    // with the sizes, and ERR_NEOX_BACKEND.
    Weights(const Config& config, std::span<const TensorSpec> tensors);
    void upload(const Upload& slice);
    // What it takes of the GPU's memory; while uploads are under way there are up to 32 MiB of pieces beside it.
    std::uint64_t bytes() const { return memory_.bytes(); }

    // The embedding of one token, as f32 [n_embd] on the host. Thread-safe.
    void embed(std::int32_t token, float* out) const;

    // What a backend reads, once the GPU has all that was uploaded.
    const ModelWeights& view() const;

    const Config config;

private:
    // Where a tensor lies: `vector` or `matrix`.
    struct Place {
        TensorSpec tensor;
        float* vector;
        MatrixView matrix;
    };
    // What embed() takes a row through.
    struct Gather {
        explicit Gather(std::int32_t n_embd);
        Stream stream;
        PinnedBuffer<std::int32_t> token;
        PinnedBuffer<float> row;
        DeviceBuffer<std::int32_t> device_token;
        DeviceBuffer<float> device_row;
    };

    void set(const Place& place);

    DeviceBuffer<std::byte> memory_;
    std::map<std::pair<Role, std::int32_t>, Place> places_;
    ModelWeights view_{};
    mutable Uploader uploader_;
    mutable std::mutex gather_mutex_;
    mutable std::unique_ptr<Gather> gather_;
};

}  // namespace neox::cuda
