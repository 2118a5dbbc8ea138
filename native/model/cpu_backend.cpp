// The CPU as a Device: weights in resident layout, backends that run model/forward.cpp over them.
#include <algorithm>
#include <cstring>
#include <memory>

#include "base/checked.h"
#include "kernels/dispatch.h"
#include "model/backend.h"
#include "model/forward.h"
#include "model/kv_rotation.h"

namespace neox {

namespace {

CpuWeights& weights_of(void* weights) { return *static_cast<CpuWeights*>(weights); }
CpuState& state_of(void* self) { return *static_cast<CpuState*>(self); }

std::unique_ptr<CpuState> make_state(const CpuWeights& weights, const BackendOptions& options) {
    const Config& c = weights.config;
    check_layers(c, options);
    std::unique_ptr<CpuState> s(
        new CpuState{weights,
                     active_kernels(),
                     ThreadPool(options.n_threads),
                     KvMemory(c, options.kv_type, options.n_kv_blocks, options.n_threads, options.layer_begin,
                              options.n_layers(c.n_layer)),
                     RopeTable(c, options.n_ctx),
                     options,
                     {},
                     {},
                     {},
                     {},
                     {}});
    const std::size_t n = static_cast<std::size_t>(options.max_rows);
    const std::size_t n_embd = static_cast<std::size_t>(panel_stride(c.n_embd));
    s->act.x.reset(n * n_embd);
    s->act.mid.reset(n * n_embd);
    s->act.norm.reset(std::max<std::size_t>(n, 16) * n_embd);
    s->act.qkv.reset(n * static_cast<std::size_t>(panel_stride(3 * std::int64_t{c.n_embd})));
    s->act.attn.reset(n * n_embd);
    s->act.ffn.reset(n * static_cast<std::size_t>(panel_stride(c.n_ff)));
    s->attention.reset(options.n_threads, options.n_ctx, c.head_dim());
    return s;
}

Status create_weights(const void*, const Config* config, const TensorSpec* tensors, std::size_t n_tensors,
                      void** weights) {
    return guarded([&] { *weights = new CpuWeights(*config, {tensors, n_tensors}); });
}

Status upload(void* weights, const Upload* slice) {
    return guarded([&] { weights_of(weights).upload(*slice); });
}

Status embed(const void* weights, std::int32_t token, float* out) {
    return guarded([&] {
        const CpuWeights& w = *static_cast<const CpuWeights*>(weights);
        if (token < 0 || token >= w.config.n_vocab)
            fail(ErrorCode::invalid_argument, "Token id ", token, " is outside the vocabulary of ",
                 w.config.n_vocab, ".");
        w.embed(token, out);
    });
}

std::uint64_t weights_bytes(const void* weights) { return static_cast<const CpuWeights*>(weights)->bytes(); }

void destroy_weights(void* weights) { delete static_cast<CpuWeights*>(weights); }

Status create_backend(const void* weights, const BackendOptions* options, Backend* backend) {
    return guarded([&] {
        std::unique_ptr<CpuState> state = make_state(*static_cast<const CpuWeights*>(weights), *options);
        backend->kv_block_bytes = state->kv.block_bytes();
        backend->forward = [](void* self, const Batch* batch, std::int32_t begin, std::int32_t end,
                              float* carry) {
            return guarded([&] { forward(state_of(self), *batch, begin, end, carry); });
        };
        backend->kv_copy = [](void* self, std::int32_t from, std::int32_t to, std::int32_t) {
            return guarded([&] { state_of(self).kv.copy(from, to); });
        };
        backend->kv_read = [](void* self, std::int32_t block, void* dst) {
            return guarded([&] { state_of(self).kv.read(block, static_cast<std::byte*>(dst)); });
        };
        backend->kv_write = [](void* self, std::int32_t block, const void* src) {
            return guarded([&] { state_of(self).kv.write(block, static_cast<const std::byte*>(src)); });
        };
        backend->kv_rotate = [](void* self, const std::int32_t* blocks, std::int32_t n_blocks,
                                std::int32_t delta) {
            return guarded([&] { rotate_keys(state_of(self), blocks, n_blocks, delta); });
        };
        backend->destroy = [](void* self) { delete static_cast<CpuState*>(self); };
        backend->self = state.release();
    });
}

Status estimate(const void*, const Config* config, const BackendOptions* options, const TensorSpec* tensors,
                std::size_t n_tensors, MemoryEstimate* out) {
    return guarded([&] {
        const Config& c = *config;
        check_layers(c, *options);
        out->weights_bytes = 0;
        for (std::size_t i = 0; i < n_tensors; ++i)
            out->weights_bytes =
                checked_add(out->weights_bytes, CpuWeights::tensor_bytes(tensors[i]), "weights");
        out->kv_bytes = kv_block_bytes(c, options->kv_type, options->n_layers(c.n_layer)) *
                        static_cast<std::uint64_t>(options->n_kv_blocks);
        const std::uint64_t per_row =
            8 * static_cast<std::uint64_t>(c.n_embd) + static_cast<std::uint64_t>(c.n_ff);
        out->scratch_bytes = 4 * (static_cast<std::uint64_t>(options->max_rows) * per_row +
                                  16 * static_cast<std::uint64_t>(c.n_vocab));
    });
}

Status probe(const void*, DeviceProbe* out) {
    return guarded([&] {
        *out = DeviceProbe{};
        out->is_usable = 1;
        std::strncpy(out->name, "CPU", sizeof(out->name) - 1);
        std::strncpy(out->driver, active_kernels().name, sizeof(out->driver) - 1);
    });
}

}  // namespace

const Device& cpu_device() {
    static const Device device{"cpu",         nullptr,         create_weights, upload,   embed,
                               weights_bytes, destroy_weights, create_backend, estimate, probe};
    return device;
}

}  // namespace neox
