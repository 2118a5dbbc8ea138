#include "random_model.h"

#include <algorithm>
#include <chrono>

#include "base/thread_pool.h"
#include "jobs/output_types.h"
#include "jobs/random_weights.h"
#include "jobs/synth.h"

namespace bench {

using namespace neox;

namespace {

constexpr std::uint64_t kSeed = 1;

Config config_of(const std::string& name, std::int32_t n_layer) {
    const auto known = shapes();
    const auto shape =
        std::find_if(known.begin(), known.end(), [&](const Shape& each) { return each.name == name; });
    if (shape == known.end()) {
        std::string names;
        for (const Shape& each : known) names += (names.empty() ? "" : ", ") + std::string(each.name);
        fail(ErrorCode::invalid_argument, "There is no shape '", name, "'; known are ", names, ".");
    }
    if (n_layer < 0 || n_layer > shape->n_layer)
        fail(ErrorCode::invalid_argument, "The shape '", name, "' has ", shape->n_layer, " layers, not ",
             n_layer, ".");
    Config config;
    config.n_layer = n_layer == 0 ? shape->n_layer : n_layer;
    config.n_embd = shape->n_embd;
    config.n_head = shape->n_head;
    config.n_ff = shape->n_ff;
    config.n_vocab = shape->n_vocab;
    config.n_ctx_train = shape->n_ctx_train;
    config.n_rot = static_cast<std::int32_t>(static_cast<float>(config.head_dim()) * shape->rotary_pct);
    config.parallel_residual = shape->parallel_residual ? 1 : 0;
    return config;
}

}  // namespace

RandomSource::RandomSource(const std::string& shape, FileType type, std::int32_t n_layer)
    : RandomSource(config_of(shape, n_layer), type) {}

RandomSource::RandomSource(const Config& config, FileType type) {
    parsed_.config = config;
    set_tensors(type);
}

void RandomSource::set_tensors(FileType type) {
    GgufFile file;
    for (const ExpectedTensor& expected : expected_tensors(parsed_.config)) {
        Tensor tensor;
        tensor.name = expected.name;
        tensor.n_dims = expected.n_rows == 1 ? 1 : 2;
        tensor.shape[0] = expected.n_cols;
        tensor.shape[1] = expected.n_rows;
        file.tensors.push_back(std::move(tensor));
    }
    assign_types(file, {.type = type}, parsed_.config.n_layer);
    tensors_ = std::move(file.tensors);
}

void RandomSource::read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                             std::byte* dst) const {
    const Tensor& tensor = tensors_[index];
    make_random_rows(tensor, random_key(kSeed, tensor.name), row_begin, n_rows, dst);
}

DeviceWeights::DeviceWeights(const Device& device, const RandomSource& source, int n_threads)
    : device_(device), plan_(plan_load(source, std::nullopt)) {
    const std::vector<TensorSpec> specs = plan_.specs();
    ThreadPool pool(n_threads);
    // The first slice of each tensor is its longest.
    std::vector<std::vector<std::byte>> rows(specs.size());
    std::vector<const LoadSlice*> first(specs.size());
    for (const LoadSlice& slice : plan_.slices)
        if (first[slice.tensor] == nullptr) first[slice.tensor] = &slice;
    pool.parallel_for(specs.size(), [&](std::size_t i, int) {
        rows[i].resize(first[i]->n_bytes);
        source.read_rows(plan_.tensors[i].index, 0, first[i]->n_rows, rows[i].data());
    });
    for (const LoadSlice& slice : plan_.slices)
        if (specs[slice.tensor].role != Role::token_embd) read_bytes_ += slice.n_bytes;

    check(device.create_weights(device.self, &source.config(), specs.data(), specs.size(), &handle_));
    const auto start = std::chrono::steady_clock::now();
    try {
        pool.parallel_for(plan_.slices.size(), [&](std::size_t task, int) {
            const LoadSlice& slice = plan_.slices[task];
            const TensorSpec& spec = specs[slice.tensor];
            const Upload upload{spec.role,
                                spec.layer,
                                spec.dtype,
                                spec.n_rows,
                                spec.n_cols,
                                static_cast<std::int64_t>(slice.row_begin),
                                static_cast<std::int64_t>(slice.n_rows),
                                rows[slice.tensor].data()};
            check(device.upload(handle_, &upload));
        });
        // A device may still be at it: what it answers with is read behind all of that.
        std::vector<float> embedding(static_cast<std::size_t>(source.config().n_embd));
        check(device.embed(handle_, 0, embedding.data()));
    } catch (...) {
        device.destroy_weights(handle_);
        throw;
    }
    upload_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace bench
