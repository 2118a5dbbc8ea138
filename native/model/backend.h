// What a device offers, as structs of function pointers over plain data: the CPU's (model/cpu_backend.cpp), a device
// library's behind one C symbol, a fake one in tests. Nothing throws across: every function returns a Status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "base/error.h"
#include "kernels/kernels.h"
#include "model/batch.h"
#include "model/config.h"

namespace neox {

struct Status {
    std::int32_t code;  // ErrorCode; 0 is success
    char message[508];  // NUL-terminated
};

// Throws the Error that a Status describes, if any.
void check(const Status& status);
// Runs fn() and turns what it throws into a Status.
template <class F> Status guarded(F&& fn) noexcept;
Status make_status(ErrorCode code, const char* message) noexcept;

enum class Precision : std::int32_t { exact = 0, high = 1, fast = 2 };

struct BackendOptions {
    Precision precision;
    KvType kv_type;
    std::int32_t n_threads;
    std::int32_t n_kv_blocks;  // capacity of the KV pool; its memory is touched only when used
    std::int32_t n_ctx;        // longest position + 1 that will be asked for
    std::int32_t max_rows;     // most rows of one batch
    // The layers whose keys and values the backend holds; it is asked for no others. layer_end -1: to the last.
    std::int32_t layer_begin = 0;
    std::int32_t layer_end = -1;
    // 1: a row's bits follow from its own sequence alone, whatever else is in the batch. The CPU always promises that.
    std::int32_t deterministic = 0;

    // How many of a model's layers these are.
    std::int32_t n_layers(std::int32_t n_layer) const {
        return (layer_end < 0 ? n_layer : layer_end) - layer_begin;
    }
};

// ERR_NEOX_INTERNAL where the model has not the layers that the options name.
void check_layers(const Config& config, const BackendOptions& options);

struct MemoryEstimate {
    std::uint64_t weights_bytes;
    std::uint64_t kv_bytes;
    std::uint64_t scratch_bytes;
};

// One loaded model on one device with its KV pool: what an engine drives. One caller at a time.
struct Backend {
    void* self;
    // Runs layers [layer_begin, layer_end) over the batch; layer_begin 0 starts from tokens or embeddings, layer_end
    // n_layer ends with the outputs. `carry` [n_rows, n_embd] holds the residual stream between ranges: it is read when
    // layer_begin > 0 and holds what layer_end leaves afterwards (the rows of cancelled sequences are not written); null is for
    // all layers at once. The only entry to the network.
    Status (*forward)(void* self, const Batch* batch, std::int32_t layer_begin, std::int32_t layer_end,
                      float* carry);
    // Of one block over the layers that the backend holds; "all layers" below are these. A block outside is one layer after
    // another, of each K before V, head by head, as kernels/kernels.h lays tiles out: any device takes what another gave.
    std::size_t kv_block_bytes;
    // Copies the first n_positions of block `from` to block `to`, all layers.
    Status (*kv_copy)(void* self, std::int32_t from, std::int32_t to, std::int32_t n_positions);
    Status (*kv_read)(void* self, std::int32_t block, void* dst);         // kv_block_bytes
    Status (*kv_write)(void* self, std::int32_t block, const void* src);  // kv_block_bytes
    // Moves the cached keys of all 64 positions of these blocks down by `delta` positions (0 < delta < n_ctx), all layers:
    // each is turned back by delta steps of the rotary embedding, K <- R(-delta) K, and rounded to kv_type again. Values
    // stay. No block may be shared. ERR_NEOX_UNSUPPORTED, with nothing changed, where a position has no one rotation:
    // dynamic RoPE scaling with an n_ctx beyond the trained context. n_blocks 0 asks whether it can be done.
    Status (*kv_rotate)(void* self, const std::int32_t* blocks, std::int32_t n_blocks, std::int32_t delta);
    void (*destroy)(void* self);
};

// Roles of the tensors of a GPT-NeoX model, in GGUF's words. Hugging Face's names beside them.
enum class Role : std::int32_t {
    token_embd,  // gpt_neox.embed_in.weight
    attn_norm,   // layers.N.input_layernorm
    attn_norm_bias,
    attn_qkv,  // layers.N.attention.query_key_value, rows reordered to Q | K | V
    attn_qkv_bias,
    attn_output,  // layers.N.attention.dense
    attn_output_bias,
    ffn_norm,  // layers.N.post_attention_layernorm
    ffn_norm_bias,
    ffn_up,  // layers.N.mlp.dense_h_to_4h
    ffn_up_bias,
    ffn_down,  // layers.N.mlp.dense_4h_to_h
    ffn_down_bias,
    output_norm,  // gpt_neox.final_layer_norm
    output_norm_bias,
    output,  // embed_out.weight
};

// A slice of rows of one tensor in GGUF row layout. Slices of one tensor begin at multiples of 16 rows.
struct Upload {
    Role role;
    std::int32_t layer;
    DType dtype;
    std::int64_t n_rows;  // of the whole tensor
    std::int64_t n_cols;
    std::int64_t row_begin;
    std::int64_t row_count;
    const std::byte* rows;
};

// A tensor as a device will hold it.
struct TensorSpec {
    Role role;
    std::int32_t layer;  // -1: of no layer
    DType dtype;
    std::int64_t n_rows;
    std::int64_t n_cols;
};

// What a device says of itself before anything is put on it. Texts end with NUL.
struct DeviceProbe {
    std::int32_t is_usable;     // 0 or 1
    std::uint64_t total_bytes;  // of its memory; 0: not known
    std::uint64_t free_bytes;   // now; 0 with total_bytes 0: not known
    char name[128];             // "NVIDIA H200"; empty where there is none
    char driver[256];           // what it offers, architecture, units: one line
    char reason[512];           // why it cannot be used, and what to do; empty where it can
};

// A kind of device, or one of them. Weights are made once and shared by every backend over them. It lives as long as the
// process, and all of its functions may be called by several threads at once.
struct Device {
    const char* name;  // "cpu", "cuda"; different ones for devices whose weights differ
    const void* self;  // the device's own, handed to the functions that know no weights; may be null
    // Sets up the memory of a model's tensors, each of which is then uploaded slice by slice. Not all tensors need be there:
    // a device that runs some of the layers is given theirs, the embedding with the first, the final norm and head with
    // the last; then forward() and embed() are asked for nothing that needs the others.
    Status (*create_weights)(const void* self, const Config* config, const TensorSpec* tensors,
                             std::size_t n_tensors, void** weights);
    // Takes a slice into the resident layout. Different slices may come from different threads at once.
    Status (*upload)(void* weights, const Upload* slice);
    // The embedding of one token, f32 [n_embd]. Thread-safe.
    Status (*embed)(const void* weights, std::int32_t token, float* out);
    std::uint64_t (*weights_bytes)(const void* weights);
    void (*destroy_weights)(void* weights);
    // `weights` must outlive the backend.
    Status (*create_backend)(const void* weights, const BackendOptions* options, Backend* backend);
    // The memory of a model of these tensors with a backend of these options.
    Status (*estimate)(const void* self, const Config* config, const BackendOptions* options,
                       const TensorSpec* tensors, std::size_t n_tensors, MemoryEstimate* estimate);
    // What there is. That it cannot be used is no error but is_usable 0 with the reason.
    Status (*probe)(const void* self, DeviceProbe* probe);
};

const Device& cpu_device();

template <class F> Status guarded(F&& fn) noexcept {
    try {
        fn();
        return Status{0, {0}};
    } catch (const Error& e) {
        return make_status(e.code(), e.what());
    } catch (const std::bad_alloc&) {
        return make_status(ErrorCode::out_of_memory, "Out of memory.");
    } catch (const std::exception& e) {
        return make_status(ErrorCode::internal, e.what());
    } catch (...) {
        return make_status(ErrorCode::internal, "Unknown exception.");
    }
}

}  // namespace neox
