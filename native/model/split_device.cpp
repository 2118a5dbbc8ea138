#include "model/split_device.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "base/checked.h"

namespace neox {

namespace {

struct Split {
    const Device& first;
    const Device& second;
    std::int32_t n_first;
    std::string name;
    Device device;
};

struct SplitWeights {
    explicit SplitWeights(const Split& s, const Config& c) : split(s), config(c) {}
    SplitWeights(const SplitWeights&) = delete;
    SplitWeights& operator=(const SplitWeights&) = delete;
    ~SplitWeights() {
        if (first) split.first.destroy_weights(first);
        if (second) split.second.destroy_weights(second);
    }

    const Split& split;
    const Config config;
    void* first = nullptr;
    void* second = nullptr;
};

struct SplitBackend {
    SplitBackend(std::int32_t all, std::int32_t before) : n_layer(all), n_first(before) {}
    SplitBackend(const SplitBackend&) = delete;
    SplitBackend& operator=(const SplitBackend&) = delete;
    ~SplitBackend() {
        if (first.destroy) first.destroy(first.self);
        if (second.destroy) second.destroy(second.self);
    }

    const std::int32_t n_layer, n_first;
    Backend first{}, second{};
    std::vector<float> carry;  // [max_rows, n_embd], where the caller brings none
};

const Split& split_of(const void* self) { return *static_cast<const Split*>(self); }
const SplitWeights& weights_of(const void* weights) { return *static_cast<const SplitWeights*>(weights); }
SplitBackend& backend_of(void* self) { return *static_cast<SplitBackend*>(self); }

void check_split(const Split& split, const Config& config) {
    if (split.n_first <= 0 || split.n_first >= config.n_layer)
        fail(ErrorCode::internal, config.n_layer, " layers cannot be cut after ", split.n_first, ".");
}

struct Parts {
    std::vector<TensorSpec> first, second;
};

Parts cut_tensors(const Split& split, const TensorSpec* tensors, std::size_t n_tensors) {
    Parts parts;
    for (std::size_t i = 0; i < n_tensors; ++i)
        (is_before_split(tensors[i].role, tensors[i].layer, split.n_first) ? parts.first : parts.second)
            .push_back(tensors[i]);
    return parts;
}

// The options of the part that has layers [begin, end).
BackendOptions options_of(const BackendOptions& all, std::int32_t begin, std::int32_t end,
                          std::int32_t n_layer) {
    BackendOptions part = all;
    part.layer_begin = std::max(begin, all.layer_begin);
    part.layer_end = std::max(part.layer_begin, std::min(end, all.layer_begin + all.n_layers(n_layer)));
    return part;
}

Status create_weights(const void* self, const Config* config, const TensorSpec* tensors,
                      std::size_t n_tensors, void** weights) {
    return guarded([&] {
        const Split& split = split_of(self);
        check_split(split, *config);
        const Parts parts = cut_tensors(split, tensors, n_tensors);
        auto made = std::make_unique<SplitWeights>(split, *config);
        // The one that is more likely to have no room goes before the other has taken any.
        check(split.second.create_weights(split.second.self, config, parts.second.data(), parts.second.size(),
                                          &made->second));
        check(split.first.create_weights(split.first.self, config, parts.first.data(), parts.first.size(),
                                         &made->first));
        *weights = made.release();
    });
}

Status upload(void* weights, const Upload* slice) {
    const SplitWeights& w = weights_of(weights);
    return is_before_split(slice->role, slice->layer, w.split.n_first)
               ? w.split.first.upload(w.first, slice)
               : w.split.second.upload(w.second, slice);
}

Status embed(const void* weights, std::int32_t token, float* out) {
    return weights_of(weights).split.first.embed(weights_of(weights).first, token, out);
}

std::uint64_t weights_bytes(const void* weights) {
    const SplitWeights& w = weights_of(weights);
    return w.split.first.weights_bytes(w.first) + w.split.second.weights_bytes(w.second);
}

void destroy_weights(void* weights) { delete static_cast<SplitWeights*>(weights); }

Status forward(void* self, const Batch* batch, std::int32_t layer_begin, std::int32_t layer_end,
               float* carry) {
    SplitBackend& b = backend_of(self);
    if (!carry) {
        if (layer_begin != 0 || layer_end != b.n_layer)
            return make_status(ErrorCode::internal, "A part of the layers needs a carry.");
        carry = b.carry.data();
    }
    if (layer_begin < b.n_first) {
        const Status status =
            b.first.forward(b.first.self, batch, layer_begin, std::min(layer_end, b.n_first), carry);
        if (status.code != 0 || layer_end <= b.n_first) return status;
    }
    return b.second.forward(b.second.self, batch, std::max(layer_begin, b.n_first), layer_end, carry);
}

Status kv_copy(void* self, std::int32_t from, std::int32_t to, std::int32_t n_positions) {
    const SplitBackend& b = backend_of(self);
    const Status status = b.first.kv_copy(b.first.self, from, to, n_positions);
    return status.code != 0 ? status : b.second.kv_copy(b.second.self, from, to, n_positions);
}

Status kv_read(void* self, std::int32_t block, void* dst) {
    const SplitBackend& b = backend_of(self);
    const Status status = b.first.kv_read(b.first.self, block, dst);
    return status.code != 0 ? status
                            : b.second.kv_read(b.second.self, block,
                                               static_cast<std::byte*>(dst) + b.first.kv_block_bytes);
}

Status kv_write(void* self, std::int32_t block, const void* src) {
    const SplitBackend& b = backend_of(self);
    const Status status = b.first.kv_write(b.first.self, block, src);
    return status.code != 0 ? status
                            : b.second.kv_write(b.second.self, block,
                                                static_cast<const std::byte*>(src) + b.first.kv_block_bytes);
}

// Asks both before either changes anything.
Status kv_rotate(void* self, const std::int32_t* blocks, std::int32_t n_blocks, std::int32_t delta) {
    const SplitBackend& b = backend_of(self);
    for (const std::int32_t n : {0, n_blocks})
        for (const Backend* part : {&b.first, &b.second}) {
            const Status status = part->kv_rotate(part->self, blocks, n, delta);
            if (status.code != 0) return status;
        }
    return Status{};
}

void destroy(void* self) { delete static_cast<SplitBackend*>(self); }

Status create_backend(const void* weights, const BackendOptions* options, Backend* backend) {
    return guarded([&] {
        const SplitWeights& w = weights_of(weights);
        const std::int32_t n_layer = w.config.n_layer, n_first = w.split.n_first;
        auto made = std::make_unique<SplitBackend>(n_layer, n_first);
        const BackendOptions before = options_of(*options, 0, n_first, n_layer),
                             after = options_of(*options, n_first, n_layer, n_layer);
        Backend part{};
        check(w.split.second.create_backend(w.second, &after, &part));
        made->second = part;
        check(w.split.first.create_backend(w.first, &before, &part));
        made->first = part;
        made->carry.resize(checked_mul(static_cast<std::uint64_t>(options->max_rows),
                                       static_cast<std::uint64_t>(w.config.n_embd), "carry"));
        *backend = {made.get(), forward, made->first.kv_block_bytes + made->second.kv_block_bytes,
                    kv_copy,    kv_read, kv_write,
                    kv_rotate,  destroy};
        (void)made.release();  // the backend's
    });
}

Status estimate(const void* self, const Config* config, const BackendOptions* options,
                const TensorSpec* tensors, std::size_t n_tensors, MemoryEstimate* out) {
    return guarded([&] {
        const Split& split = split_of(self);
        check_split(split, *config);
        const Parts parts = cut_tensors(split, tensors, n_tensors);
        const BackendOptions before = options_of(*options, 0, split.n_first, config->n_layer),
                             after = options_of(*options, split.n_first, config->n_layer, config->n_layer);
        MemoryEstimate a{}, b{};
        check(split.first.estimate(split.first.self, config, &before, parts.first.data(), parts.first.size(),
                                   &a));
        check(split.second.estimate(split.second.self, config, &after, parts.second.data(),
                                    parts.second.size(), &b));
        *out = {checked_add(a.weights_bytes, b.weights_bytes, "weights"),
                checked_add(a.kv_bytes, b.kv_bytes, "KV pool"),
                checked_add(a.scratch_bytes, b.scratch_bytes, "scratch")};
    });
}

// What the first says when it cannot be used, else what the second says.
Status probe(const void* self, DeviceProbe* out) {
    const Split& split = split_of(self);
    const Status status = split.first.probe(split.first.self, out);
    return status.code != 0 || out->is_usable == 0 ? status : split.second.probe(split.second.self, out);
}

// Never destroyed: weights may still live while the process ends.
struct Splits {
    std::mutex mutex;
    std::map<std::tuple<const Device*, const Device*, std::int32_t>, std::unique_ptr<Split>> made;
};

Splits& splits() {
    static Splits& instance = *new Splits;
    return instance;
}

}  // namespace

const Device& split_device(const Device& first, const Device& second, std::int32_t n_first) {
    Splits& all = splits();
    const std::lock_guard lock(all.mutex);
    std::unique_ptr<Split>& split = all.made[{&first, &second, n_first}];
    if (!split) {
        split.reset(
            new Split{first, second, n_first, text(first.name, "[0,", n_first, ")+", second.name), Device{}});
        split->device = {split->name.c_str(), split.get(),     create_weights, upload,   embed,
                         weights_bytes,       destroy_weights, create_backend, estimate, probe};
    }
    return split->device;
}

std::int32_t gpu_layers(const Device& device, std::int32_t n_layer) {
    if (&device == &cpu_device()) return 0;
    return device.probe == probe ? n_layer - split_of(device.self).n_first : n_layer;
}

std::uint64_t host_weights_bytes(const Device& device, const void* weights) {
    if (&device == &cpu_device()) return device.weights_bytes(weights);
    if (device.probe != probe) return 0;
    const SplitWeights& w = weights_of(weights);
    return host_weights_bytes(w.split.first, w.first) + host_weights_bytes(w.split.second, w.second);
}

}  // namespace neox
