// A backend on the device: forward.cpp and the KV cache behind model/backend.h's functions.
#include <memory>

#include "cuda/cuda_device.h"
#include "cuda/forward.h"
#include "cuda/state.h"

namespace neox::cuda {

namespace {

CudaState& state_of(void* self) { return *static_cast<CudaState*>(self); }

// Nothing but zeros, where columns beyond a row's own are never written.
DeviceBuffer<float> zeroed(Stream& stream, std::size_t n) {
    DeviceBuffer<float> buffer(n);
    stream.fill_zero(buffer.data(), buffer.bytes());
    return buffer;
}

}  // namespace

Scratch::Scratch(Stream& stream, const ScratchSizes& sizes)
    : x(zeroed(stream, sizes.x)), mid(zeroed(stream, sizes.mid)), norm(zeroed(stream, sizes.norm)),
      qkv(zeroed(stream, sizes.qkv)), attn(zeroed(stream, sizes.attn)), ffn(zeroed(stream, sizes.ffn)),
      rounded(sizes.rounded), row_scales(sizes.row_scales), partial(sizes.partial), tickets(sizes.tickets),
      picked(zeroed(stream, sizes.picked)), logits(zeroed(stream, sizes.logits)), input(sizes.input) {
    stream.fill_zero(tickets.data(), tickets.bytes());
}

CudaState::CudaState(const Weights& w, const BackendOptions& o)
    : weights(w), model(w.view()), options(o), facts(device_facts()),
      kv(w.config, o.kv_type, o.layer_begin, o.layer_begin + o.n_layers(w.config.n_layer), o.n_kv_blocks),
      rope(w.config, o.n_ctx, o.max_rows), steps(stream, w.config, o.n_ctx, o.max_rows),
      pass(w.config, options), scratch(stream, scratch_sizes(w.config, o)) {
    stream.synchronize();
}

void create_backend(const void* weights, const BackendOptions& options, Backend& backend) {
    const Weights& w = *static_cast<const Weights*>(weights);
    check_options(w.config, options);
    auto state = std::make_unique<CudaState>(w, options);
    backend.kv_block_bytes = state->kv.block_bytes();
    backend.forward = [](void* self, const Batch* batch, std::int32_t begin, std::int32_t end, float* carry) {
        return guarded([&] { forward(state_of(self), *batch, begin, end, carry); });
    };
    backend.kv_copy = [](void* self, std::int32_t from, std::int32_t to, std::int32_t) {
        return guarded([&] { state_of(self).kv.copy(state_of(self).stream, from, to); });
    };
    backend.kv_read = [](void* self, std::int32_t block, void* dst) {
        return guarded([&] { state_of(self).kv.read(state_of(self).stream, block, dst); });
    };
    backend.kv_write = [](void* self, std::int32_t block, const void* src) {
        return guarded([&] { state_of(self).kv.write(state_of(self).stream, block, src); });
    };
    backend.kv_rotate = [](void* self, const std::int32_t* blocks, std::int32_t n_blocks,
                           std::int32_t delta) {
        return guarded([&] {
            CudaState& s = state_of(self);
            s.kv.rotate(s.stream, s.rope.host(), blocks, n_blocks, delta);
        });
    };
    backend.destroy = [](void* self) { delete static_cast<CudaState*>(self); };
    backend.self = state.release();
}

}  // namespace neox::cuda
