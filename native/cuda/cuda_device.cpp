#include "cuda/cuda_device.h"

#include <cstring>

#include "base/checked.h"
#include "cuda/kv.h"
#include "cuda/plan.h"
#include "cuda/runtime.h"
#include "cuda/weights.h"

namespace neox::cuda {

namespace {

Weights& weights_of(void* weights) { return *static_cast<Weights*>(weights); }
const Weights& weights_of(const void* weights) { return *static_cast<const Weights*>(weights); }

template <std::size_t n> void put_text(char (&to)[n], const std::string& text) {
    std::strncpy(to, text.c_str(), n - 1);
    to[n - 1] = '\0';
}

Status create_weights(const void*, const Config* config, const TensorSpec* tensors, std::size_t n_tensors,
                      void** weights) {
    return guarded([&] {
        device_facts();  // the reason why there is none comes before what memory says of it
        *weights = new Weights(*config, {tensors, n_tensors});
    });
}

Status upload(void* weights, const Upload* slice) {
    return guarded([&] { weights_of(weights).upload(*slice); });
}

Status embed(const void* weights, std::int32_t token, float* out) {
    return guarded([&] {
        const Weights& w = weights_of(weights);
        if (token < 0 || token >= w.config.n_vocab)
            fail(ErrorCode::invalid_argument, "Token id ", token, " is outside the vocabulary of ",
                 w.config.n_vocab, ".");
        w.embed(token, out);
    });
}

std::uint64_t weights_bytes(const void* weights) { return weights_of(weights).bytes(); }

void destroy_weights(void* weights) { delete static_cast<Weights*>(weights); }

Status create(const void* weights, const BackendOptions* options, Backend* backend) {
    return guarded([&] { create_backend(weights, *options, *backend); });
}

Status estimate(const void*, const Config* config, const BackendOptions* options, const TensorSpec* tensors,
                std::size_t n_tensors, MemoryEstimate* out) {
    return guarded([&] {
        check_options(*config, *options);
        out->weights_bytes = 0;
        for (std::size_t i = 0; i < n_tensors; ++i)
            out->weights_bytes = checked_add(out->weights_bytes, device_bytes(tensors[i]), "weights");
        out->kv_bytes = kv_memory_bytes(*config, options->kv_type, options->n_layers(config->n_layer),
                                        options->n_kv_blocks);
        out->scratch_bytes = scratch_bytes(*config, *options);
    });
}

Status probe(const void*, DeviceProbe* out) {
    return guarded([&] {
        *out = DeviceProbe{};
        try {
            const DeviceFacts facts = device_facts();
            put_text(out->name, facts.name);
            put_text(out->driver, text(facts.driver, ", compute capability ", facts.major, ".", facts.minor,
                                       ", ", facts.n_multiprocessors, " multiprocessors"));
            const DeviceMemory memory = device_memory();
            out->total_bytes = memory.total_bytes;
            out->free_bytes = memory.free_bytes;
            out->is_usable = 1;
        } catch (const Error& error) {
            put_text(out->reason, error.what());
        }
    });
}

}  // namespace

const Device& cuda_device() {
    static const Device device{"cuda",        nullptr,         create_weights, upload,   embed,
                               weights_bytes, destroy_weights, create,         estimate, probe};
    return device;
}

}  // namespace neox::cuda
