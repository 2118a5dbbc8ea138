// A committed file of golden tensors (safetensors), and models made from the fixtures' checkpoints.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "engine/engine.h"
#include "fixtures.h"
#include "kernels/kernels.h"
#include "model/model.h"

namespace golden {

inline const std::vector<std::string>& checkpoints() {
    static const std::vector<std::string> names{"sequential-erf",
                                                "sequential-tanh",
                                                "sequential-linear-rope",
                                                "sequential-dynamic-rope",
                                                "parallel-quarter-rotary",
                                                "parallel-full-rotary",
                                                "parallel-gelu-fast",
                                                "tied-without-attention-bias",
                                                "odd-shapes",
                                                "fp16-weights",
                                                "bf16-weights",
                                                "rinna-3.6b",
                                                "rinna-bilingual-4b",
                                                "rinna-bilingual-4b-8k",
                                                "japanese-gpt-neox-small",
                                                "line-3.6b",
                                                "pythia",
                                                "gpt-neox-20b",
                                                "dolly-v2",
                                                "redpajama",
                                                "stablelm-alpha",
                                                "open-calm"};
    return names;
}

class Tensors {
public:
    explicit Tensors(const std::string& path) : file_(path) {
        for (auto& tensor : neox::read_safetensors(file_)) tensors_.emplace(tensor.name, tensor);
    }
    bool has(const std::string& name) const { return tensors_.count(name) != 0; }
    std::vector<std::int32_t> ids(const std::string& name) const { return read<std::int32_t>(name); }
    std::vector<float> floats(const std::string& name) const { return read<float>(name); }
    std::vector<std::byte> bytes(const std::string& name) const { return read<std::byte>(name); }

private:
    template <class T> std::vector<T> read(const std::string& name) const {
        const auto& tensor = tensors_.at(name);
        std::vector<std::byte> bytes(tensor.n_bytes);
        file_.read_at(tensor.offset, bytes);
        std::vector<T> out(bytes.size() / sizeof(T));
        std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
        return out;
    }

    neox::File file_;
    std::map<std::string, neox::SafetensorsTensor> tensors_;
};

struct EngineSetup {
    neox::Precision precision = neox::Precision::exact;
    neox::KvType kv_type = neox::KvType::f32;
    int n_threads = 2;
    std::int32_t max_rows = 512;
    std::int32_t n_ctx = 256;
    std::int32_t n_kv_blocks = 32;
    std::optional<neox::FileType> type{};
    const neox::Device* device = nullptr;  // the CPU
    bool deterministic = false;
};

// Of the committed checkpoint of this name: its folder, and what transformers computes with it.
inline std::string path_of(const std::string& name) { return fixture("checkpoints/" + name); }
inline Tensors values_of(const std::string& name) { return Tensors(path_of(name) + "/golden.safetensors"); }

// A loaded checkpoint and an engine over it.
struct Rig {
    explicit Rig(const std::string& path, const EngineSetup& setup = {}) {
        const neox::Device& device = setup.device ? *setup.device : neox::cpu_device();
        model = neox::load_model(path, device, {setup.type, setup.n_threads, {}, nullptr});
        neox::BackendOptions options{setup.precision,   setup.kv_type, setup.n_threads,
                                     setup.n_kv_blocks, setup.n_ctx,   setup.max_rows};
        options.deterministic = setup.deterministic ? 1 : 0;
        neox::Backend backend{};
        neox::check(device.create_backend(model->weights->handle(), &options, &backend));
        engine = std::make_unique<neox::Engine>(
            model->config(), backend, neox::EngineOptions{setup.n_ctx, setup.n_kv_blocks, setup.max_rows});
    }
    neox::CallRequest request(std::vector<neox::Token> ids, std::int64_t n_new) {
        neox::CallRequest r;
        r.sequence = engine->create_sequence();
        r.prompt.push_back({std::move(ids), {}});
        r.max_new_tokens = n_new;
        r.ring_capacity = 100000;
        return r;
    }
    std::shared_ptr<neox::Call> run(neox::CallRequest r) {
        auto call = engine->submit(std::move(r));
        engine->wait(*call);
        if (call->error) throw *call->error;
        return call;
    }
    std::vector<neox::Token> generate(std::vector<neox::Token> ids, std::int64_t n_new) {
        auto call = run(request(std::move(ids), n_new));
        std::vector<neox::Token> out;
        for (const auto& token : engine->drain(*call).tokens) out.push_back(token.id);
        return out;
    }
    // Logits at every position, [ids.size(), n_vocab].
    std::vector<float> logits(std::vector<neox::Token> ids) {
        std::vector<std::int64_t> positions(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) positions[i] = static_cast<std::int64_t>(i);
        neox::CallRequest r = request(std::move(ids), 0);
        r.logits_at = std::move(positions);
        return run(std::move(r))->logits;
    }

    std::shared_ptr<const neox::Model> model;
    std::unique_ptr<neox::Engine> engine;
};

// max |a - b| / max |b|
inline double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0.0, difference = a.size() == b.size() ? 0.0 : 1e30;
    for (std::size_t i = 0; i < b.size() && i < a.size(); ++i) {
        largest = std::max(largest, static_cast<double>(std::fabs(b[i])));
        difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return difference / largest;
}

}  // namespace golden
