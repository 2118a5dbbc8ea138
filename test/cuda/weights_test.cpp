// Uploads to the device and what comes back from there: every row of every tensor, memory, failures, embeddings.
#include "cuda/weights.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "cuda/embed_rows.h"
#include "quant/quant.h"
#include "random_blocks.h"
#if defined(NEOX_CUDA_EMULATED)
#include "cuda/host/runtime_emulated.h"
#endif

namespace {

using namespace neox;
using namespace neox::cuda;

struct TestTensor {
    TensorSpec spec;
    std::vector<std::byte> rows;

    std::size_t stride() const { return rows.size() / static_cast<std::size_t>(spec.n_rows); }
    Upload slice(std::int64_t begin, std::int64_t count) const {
        const std::byte* at = rows.data() + static_cast<std::size_t>(begin) * stride();
        return {spec.role, spec.layer, spec.dtype, spec.n_rows, spec.n_cols, begin, count, at};
    }
};

TestTensor tensor(Role role, std::int32_t layer, DType dtype, std::int64_t n_rows, std::int64_t n_cols) {
    const auto seed = static_cast<std::uint64_t>(static_cast<int>(role) + 100 * (layer + 1));
    return {{role, layer, dtype, n_rows, n_cols}, random_blocks::rows(dtype, n_rows, n_cols, 0.1f, seed)};
}

std::vector<TensorSpec> specs(const std::vector<TestTensor>& tensors) {
    std::vector<TensorSpec> all;
    for (const TestTensor& t : tensors) all.push_back(t.spec);
    return all;
}

Config small_config(std::int32_t n_layer) {
    Config config;
    config.n_layer = n_layer, config.n_embd = 256, config.n_head = 4, config.n_ff = 512, config.n_vocab = 83;
    return config;
}

// All tensors of a layer, in types of all kinds.
void add_layer(std::vector<TestTensor>& all, std::int32_t layer, DType qkv, DType dense, DType up,
               DType down) {
    all.push_back(tensor(Role::attn_norm, layer, DType::F32, 1, 256));
    all.push_back(tensor(Role::attn_norm_bias, layer, DType::F16, 1, 256));
    all.push_back(tensor(Role::attn_qkv, layer, qkv, 768, 256));
    all.push_back(tensor(Role::attn_qkv_bias, layer, DType::F32, 1, 768));
    all.push_back(tensor(Role::attn_output, layer, dense, 256, 256));
    all.push_back(tensor(Role::attn_output_bias, layer, DType::BF16, 1, 256));
    all.push_back(tensor(Role::ffn_norm, layer, DType::F32, 1, 256));
    all.push_back(tensor(Role::ffn_norm_bias, layer, DType::F32, 1, 256));
    all.push_back(tensor(Role::ffn_up, layer, up, 512, 256));
    all.push_back(tensor(Role::ffn_up_bias, layer, DType::F32, 1, 512));
    all.push_back(tensor(Role::ffn_down, layer, down, 256, 512));
    all.push_back(tensor(Role::ffn_down_bias, layer, DType::F32, 1, 256));
}

std::vector<TestTensor> small_model() {
    std::vector<TestTensor> all;
    all.push_back(tensor(Role::token_embd, -1, DType::Q6_K, 83, 256));
    add_layer(all, 0, DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q5_K);
    add_layer(all, 1, DType::F16, DType::Q5_1, DType::BF16, DType::F32);
    all.push_back(tensor(Role::output_norm, -1, DType::F32, 1, 256));
    all.push_back(tensor(Role::output_norm_bias, -1, DType::F32, 1, 256));
    all.push_back(tensor(Role::output, -1, DType::Q8_0, 83, 256));
    return all;
}

// Slices of `step` rows from several threads at once, a thread taking the next that is left.
void upload_all(Weights& weights, const std::vector<TestTensor>& tensors, std::int64_t step, int n_threads) {
    std::vector<Upload> slices;
    for (const TestTensor& t : tensors)
        for (std::int64_t row = 0; row < t.spec.n_rows; row += step)
            slices.push_back(t.slice(row, std::min(step, t.spec.n_rows - row)));
    std::atomic<std::size_t> next{0};
    std::atomic<int> n_failed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < n_threads; ++i)
        threads.emplace_back([&] {
            for (std::size_t at = next++; at < slices.size(); at = next++) {
                // The source may change as soon as the call returns.
                const std::size_t n_bytes = row_bytes(slices[at].dtype, 1ull * slices[at].n_cols) *
                                            static_cast<std::size_t>(slices[at].row_count);
                std::vector<std::byte> copy(slices[at].rows, slices[at].rows + n_bytes);
                Upload slice = slices[at];
                slice.rows = copy.data();
                try {
                    weights.upload(slice);
                } catch (const Error&) {
                    ++n_failed;
                }
                std::fill(copy.begin(), copy.end(), std::byte{0x55});
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(n_failed.load(), 0);
}

// Rows `tokens` of a matrix, [n][stride].
std::vector<float> gather(const MatrixView& m, std::int32_t n_cols, const std::vector<std::int32_t>& tokens,
                          const std::vector<float>& given = {}) {
    const std::int32_t stride = m.n_cols;
    DeviceBuffer<std::int32_t> device_tokens(tokens.size());
    DeviceBuffer<float> device_given(given.size()), out(tokens.size() * static_cast<std::size_t>(stride));
    std::vector<float> rows(out.size());
    Stream stream;
    stream.copy_to_device(device_tokens.data(), tokens.data(), device_tokens.bytes());
    stream.copy_to_device(device_given.data(), given.data(), device_given.bytes());
    launch_embed_rows(stream, {m, device_tokens.data(), device_given.data(), out.data(),
                               static_cast<std::int32_t>(tokens.size()), n_cols, stride});
    stream.copy_to_host(rows.data(), out.data(), out.bytes());
    stream.synchronize();
    return rows;
}

void check_matrix(const MatrixView& m, const TestTensor& t) {
    const auto n_cols = static_cast<std::int32_t>(t.spec.n_cols);
    CHECK_EQ(m.n_rows, t.spec.n_rows);
    CHECK(m.dtype == t.spec.dtype);
    std::vector<std::int32_t> ids;
    for (std::int32_t row = 0; row < (m.n_rows + 15) / 16 * 16; ++row) ids.push_back(row);
    const std::vector<float> got = gather(m, n_cols, ids);
    std::vector<float> row(static_cast<std::size_t>(m.n_cols));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        std::fill(row.begin(), row.end(), 0.0f);
        if (ids[i] < m.n_rows) dequantize_row(m.dtype, t.rows.data() + i * t.stride(), n_cols, row.data());
        for (std::size_t c = 0; c < row.size(); ++c) CHECK_EQ(got[i * row.size() + c], row[c]);
    }
}

void check_vector(const float* at, const TestTensor& t) {
    const auto n = static_cast<std::size_t>(t.spec.n_cols);
    std::vector<float> got((n + 31) / 32 * 32), expected(got.size(), 0.0f);
    dequantize_row(t.spec.dtype, t.rows.data(), t.spec.n_cols, expected.data());
    Stream stream;
    stream.copy_to_host(got.data(), at, got.size() * sizeof(float));
    stream.synchronize();
    CHECK(got == expected);
}

void check_tensor(const ModelWeights& w, const TestTensor& t) {
    const LayerWeights& l = w.layers[t.spec.layer < 0 ? 0 : static_cast<std::size_t>(t.spec.layer)];
    switch (t.spec.role) {
        case Role::token_embd: return check_matrix(w.token_embd, t);
        case Role::attn_norm: return check_vector(l.attn_norm, t);
        case Role::attn_norm_bias: return check_vector(l.attn_norm_bias, t);
        case Role::attn_qkv: return check_matrix(l.attn_qkv, t);
        case Role::attn_qkv_bias: return check_vector(l.attn_qkv_bias, t);
        case Role::attn_output: return check_matrix(l.attn_output, t);
        case Role::attn_output_bias: return check_vector(l.attn_output_bias, t);
        case Role::ffn_norm: return check_vector(l.ffn_norm, t);
        case Role::ffn_norm_bias: return check_vector(l.ffn_norm_bias, t);
        case Role::ffn_up: return check_matrix(l.ffn_up, t);
        case Role::ffn_up_bias: return check_vector(l.ffn_up_bias, t);
        case Role::ffn_down: return check_matrix(l.ffn_down, t);
        case Role::ffn_down_bias: return check_vector(l.ffn_down_bias, t);
        case Role::output_norm: return check_vector(w.output_norm, t);
        case Role::output_norm_bias: return check_vector(w.output_norm_bias, t);
        case Role::output: return check_matrix(w.output, t);
    }
}

// Memory that a test leaves behind is seen, where nobody else takes any.
struct NothingLeft {
    NothingLeft() = default;
#if defined(NEOX_CUDA_EMULATED)
    ~NothingLeft() noexcept(false) {
        if (std::uncaught_exceptions() == 0) CHECK_EQ(device_memory().free_bytes, before);
    }
    const std::uint64_t before = device_memory().free_bytes;
#else
    ~NothingLeft() {}
#endif
};

#if defined(NEOX_CUDA_EMULATED)
std::string message_of(const auto& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}
#endif

}  // namespace

TEST(cuda_weights_arrive_from_several_threads) {
    const NothingLeft nothing_left;
    const std::vector<TestTensor> tensors = small_model();
    Weights weights(small_config(2), specs(tensors));
    upload_all(weights, tensors, 48, 4);
    const ModelWeights& view = weights.view();
    for (const TestTensor& t : tensors) check_tensor(view, t);
}

TEST(cuda_weights_of_some_layers) {
    std::vector<TestTensor> tensors;
    add_layer(tensors, 1, DType::Q4_1, DType::Q5_0, DType::Q3_K, DType::Q2_K);
    Weights weights(small_config(2), specs(tensors));
    upload_all(weights, tensors, 16, 1);
    const ModelWeights& view = weights.view();
    for (const TestTensor& t : tensors) check_tensor(view, t);
    CHECK(view.layers[0].attn_qkv.codes == nullptr);
    CHECK(view.layers[0].attn_norm == nullptr);
    CHECK(view.output.codes == nullptr);
    std::vector<float> row(256);
    CHECK_THROWS(weights.embed(0, row.data()), internal);
}

// Slices larger than a piece of the way go in parts.
TEST(cuda_weights_in_slices_of_megabytes) {
    Config config = small_config(0);
    config.n_embd = 1024, config.n_vocab = 640;
    const std::vector<TestTensor> tensors{tensor(Role::output, -1, DType::F32, 640, 1024)};
    Weights weights(config, specs(tensors));
    weights.upload(tensors[0].slice(0, 640));
    check_tensor({.token_embd = {},
                  .layers = std::vector<LayerWeights>(1),
                  .output_norm = nullptr,
                  .output_norm_bias = nullptr,
                  .output = weights.view().output},
                 tensors[0]);
}

TEST(cuda_weights_embed_a_token_on_the_host) {
    for (const DType dtype : {DType::Q6_K, DType::F16, DType::Q4_0}) {
        const std::vector<TestTensor> tensors{tensor(Role::token_embd, -1, dtype, 83, 256)};
        Weights weights(small_config(0), specs(tensors));
        upload_all(weights, tensors, 32, 2);
        std::vector<std::thread> threads;
        std::atomic<int> n_good{0};
        for (std::int32_t first = 0; first < 3; ++first)
            threads.emplace_back([&, first] {
                std::vector<float> row(256), expected(256);
                for (std::int32_t token = first; token < 83; token += 3) {
                    weights.embed(token, row.data());
                    const std::size_t at = static_cast<std::size_t>(token) * tensors[0].stride();
                    dequantize_row(dtype, tensors[0].rows.data() + at, 256, expected.data());
                    n_good += row == expected ? 1 : 0;
                }
            });
        for (std::thread& thread : threads) thread.join();
        CHECK_EQ(n_good.load(), 83);
        std::vector<float> row(256);
        CHECK_THROWS(weights.embed(83, row.data()), invalid_argument);
        CHECK_THROWS(weights.embed(-1, row.data()), invalid_argument);
    }
}

TEST(cuda_embed_rows_takes_ids_and_given_vectors) {
    Config config = small_config(0);
    config.n_embd = 40;
    const std::vector<TestTensor> tensors{tensor(Role::token_embd, -1, DType::BF16, 5, 40)};
    Weights weights(config, specs(tensors));
    upload_all(weights, tensors, 16, 1);
    std::vector<float> given(80), row(40);
    for (std::size_t i = 0; i < given.size(); ++i) given[i] = static_cast<float>(i) - 37.5f;
    const std::vector<std::int32_t> tokens{4, -2, 0, -1};
    const std::vector<float> got = gather(weights.view().token_embd, 40, tokens, given);
    CHECK_EQ(got.size(), 4 * 64);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const float* expected = given.data() + (tokens[i] == -2 ? 40 : 0);
        if (tokens[i] >= 0) {
            const std::size_t at = static_cast<std::size_t>(tokens[i]) * tensors[0].stride();
            dequantize_row(DType::BF16, tensors[0].rows.data() + at, 40, row.data());
            expected = row.data();
        }
        for (std::size_t c = 0; c < 64; ++c) CHECK_EQ(got[64 * i + c], c < 40 ? expected[c] : 0.0f);
    }
}

TEST(cuda_weights_refuse_what_was_not_announced) {
    const NothingLeft nothing_left;
    const std::vector<TestTensor> tensors = small_model();
    Weights weights(small_config(2), specs(tensors));
    const TestTensor& qkv = tensors[3];
    Upload slice = qkv.slice(0, 16);
    slice.layer = 2;
    CHECK_THROWS(weights.upload(slice), internal);
    slice = qkv.slice(0, 16);
    slice.dtype = DType::Q8_0;
    CHECK_THROWS(weights.upload(slice), internal);
    slice = qkv.slice(752, 16);
    slice.row_begin = 760;
    CHECK_THROWS(weights.upload(slice), internal);
    slice.row_begin = -16;
    CHECK_THROWS(weights.upload(slice), internal);
    weights.upload(qkv.slice(0, 768));  // still good, and destroyed with the upload under way
}

TEST(cuda_weights_refuse_models_without_a_place) {
    const NothingLeft nothing_left;
    const auto create = [](const TensorSpec& spec) { return Weights(small_config(1), std::span(&spec, 1)); };
    CHECK_THROWS(create({Role::attn_qkv, 0, DType::I32, 16, 256}), unsupported);
    CHECK_THROWS(create({Role::attn_qkv, 1, DType::F32, 16, 256}), internal);
    CHECK_THROWS(create({Role::attn_qkv, 0, DType::Q4_K, 16, 128}), format_shape);
    CHECK_THROWS(create({Role::output, -1, DType::Q4_0, std::int64_t{1} << 32, 256}), unsupported);
    CHECK_THROWS(create({Role::output, -1, DType::Q4_0, 0, 256}), format_shape);
    const TensorSpec twice[] = {{Role::output, -1, DType::F32, 16, 256},
                                {Role::output, -1, DType::F32, 16, 256}};
    CHECK_THROWS(Weights(small_config(1), twice), internal);
}

#if defined(NEOX_CUDA_EMULATED)
namespace {

// As little memory as a test wants, for as long as it lasts.
struct LittleMemory {
    explicit LittleMemory(std::uint64_t n_bytes) { emulation::set_memory(n_bytes); }
    ~LittleMemory() { emulation::set_memory(0); }
};

}  // namespace

TEST(cuda_weights_take_what_was_estimated) {
    const std::uint64_t before = device_memory().free_bytes;
    const std::vector<TestTensor> tensors = small_model();
    const std::vector<TensorSpec> all = specs(tensors);
    Weights weights(small_config(2), all);
    CHECK_EQ(weights.bytes(), device_bytes(all));
    upload_all(weights, tensors, 4096, 2);
    static_cast<void>(weights.view());  // gives back what the uploads took
    CHECK_EQ(before - device_memory().free_bytes, device_bytes(all));
}

TEST(cuda_weights_that_do_not_fit_say_how_much_they_take) {
    const NothingLeft nothing_left;
    const std::vector<TensorSpec> all = specs(small_model());
    const std::uint64_t n_bytes = device_bytes(all);
    const LittleMemory little(n_bytes - 1);
    CHECK_THROWS(Weights(small_config(2), all), out_of_memory);
    const std::string message = message_of([&] { Weights(small_config(2), all); });
    CHECK(message.find(text(n_bytes)) != std::string::npos);
    CHECK(message.find(text(n_bytes - 1)) != std::string::npos);
    CHECK_EQ(device_memory().free_bytes, n_bytes - 1);
}

TEST(cuda_weights_whose_upload_finds_no_memory_can_be_destroyed) {
    const NothingLeft nothing_left;
    const std::vector<TestTensor> tensors = small_model();
    const std::vector<TensorSpec> all = specs(tensors);
    {
        // Room for the weights, and for one of the two pieces of an upload.
        const LittleMemory little(device_bytes(all) + (std::uint64_t{3} << 19));
        Weights weights(small_config(2), all);
        CHECK_THROWS(weights.upload(tensors[0].slice(0, 16)), out_of_memory);
        emulation::set_memory(0);
        upload_all(weights, tensors, 64, 2);
        check_tensor(weights.view(), tensors[0]);
    }
}
#endif
