// Whole models whose matrices are of one quantized type: the engine's logits against a float64 forward over the
// dequantized weights. Steps are within 1e-3 of the largest logit, most of it from the f16 KV cache, int8 prompts
// within 2e-2, int16 prompts within 1e-3 too.
#include <cmath>
#include <vector>

#include "check.h"
#include "jobs/metadata.h"
#include "jobs/tokenizer_metadata.h"
#include "kernels/quantize_rows.h"
#include "model/model.h"
#include "random_blocks.h"
#include "reference_forward.h"
#include "scratch.h"

namespace {

using namespace neox;

constexpr DType kTypes[] = {DType::Q8_0, DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::IQ4_NL,
                            DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K};

struct Variant {
    std::int32_t parallel_residual;
    HiddenAct hidden_act;
    std::int32_t n_rot;
};
constexpr Variant kVariants[] = {{0, HiddenAct::gelu_erf, 64}, {1, HiddenAct::gelu_tanh, 16}};

// Every matrix about keeps the size of what goes through it, as trained ones do.
void write_model(const std::string& path, DType dtype, const Variant& variant) {
    ParsedConfig parsed;
    Config& config = parsed.config;
    config.n_layer = 2;
    config.n_embd = 256;
    config.n_head = 4;
    config.n_ff = 512;
    config.n_vocab = 160;
    config.n_rot = variant.n_rot;
    config.n_ctx_train = 128;
    config.hidden_act = variant.hidden_act;
    config.parallel_residual = variant.parallel_residual;
    GgufFile file;
    set_model_keys(file, "random", parsed);
    set_tokenizer_keys(file, {}, parsed);
    set_own_keys(file, parsed, {});
    std::vector<std::vector<std::byte>> data;
    for (const ExpectedTensor& expected : expected_tensors(config)) {
        Tensor tensor;
        tensor.name = expected.name;
        const bool is_vector = expected.n_rows == 1;
        tensor.n_dims = is_vector ? 1 : 2;
        tensor.shape[0] = expected.n_cols;
        tensor.shape[1] = expected.n_rows;
        tensor.dtype = is_vector ? DType::F32 : dtype;
        const auto n_rows = static_cast<std::int64_t>(expected.n_rows);
        const auto n_cols = static_cast<std::int64_t>(expected.n_cols);
        random_blocks::Random random{data.size() * 977 + 1};
        std::vector<float> values(static_cast<std::size_t>(n_rows * n_cols));
        const float size = is_vector ? 0.1f : std::sqrt(3.0f / static_cast<float>(n_cols));
        for (float& value : values) value = size * random.uniform();
        if (expected.name.ends_with("norm.weight"))
            for (float& value : values) value += 1.0f;
        data.emplace_back(row_bytes(tensor.dtype, expected.n_cols) * expected.n_rows);
        quantize_rows(tensor.dtype, values.data(), n_rows, n_cols, nullptr, data.back().data());
        file.tensors.push_back(std::move(tensor));
    }
    GgufWriter writer(path, std::move(file));
    for (std::size_t i = 0; i < data.size(); ++i) writer.write(i, 0, data[i]);
    writer.commit();
}

// [ids.size()][n_vocab], all rows of one phase in one pass.
std::vector<float> logits(const Model& model, const std::vector<std::int32_t>& ids, RowPhase phase,
                          Precision precision) {
    const BackendOptions options{
        precision, precision == Precision::exact ? KvType::f32 : KvType::f16, 2, 4, 64, 64};
    Backend backend{};
    check(cpu_device().create_backend(model.weights->handle(), &options, &backend));
    const std::int32_t block = 0;
    const SequenceView sequence{&block, 1, nullptr};
    const auto n_vocab = static_cast<std::size_t>(model.config().n_vocab);
    std::vector<float> out(ids.size() * n_vocab);
    std::vector<Row> rows(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        rows[i].pos = static_cast<std::int32_t>(i);
        rows[i].token = ids[i];
        rows[i].rope_length = static_cast<std::int32_t>(ids.size());
        rows[i].phase = phase;
        rows[i].logits = out.data() + i * n_vocab;
    }
    const Batch batch{rows.data(), static_cast<std::int32_t>(rows.size()), &sequence, 1};
    const Status status = backend.forward(backend.self, &batch, 0, model.config().n_layer, nullptr);
    backend.destroy(backend.self);
    check(status);
    return out;
}

}  // namespace

TEST(quantized_models_equal_the_reference) {
    const scratch::Folder folder;
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 40; ++i) ids.push_back((i * 37 + 11) % 160);
    for (const DType dtype : kTypes)
        for (const Variant& variant : kVariants) {
            const std::string path = folder / (std::string(dtype_info(dtype).name) + ".gguf");
            write_model(path, dtype, variant);
            const std::vector<reference::Vector> expected = reference::Model(path).logits(ids);
            const auto model = load_model(path, cpu_device(), {});
            const auto difference = [&](RowPhase phase, Precision precision) {
                return reference::relative_difference(logits(*model, ids, phase, precision), expected);
            };
            CHECK_NEAR(difference(RowPhase::prompt, Precision::exact), 0, 2e-6);
            for (const Precision precision : {Precision::high, Precision::fast})
                CHECK_NEAR(difference(RowPhase::step, precision), 0, 1e-3);
            CHECK_NEAR(difference(RowPhase::prompt, Precision::high), 0, 1e-3);
            CHECK_NEAR(difference(RowPhase::prompt, Precision::fast), 0, 2e-2);
        }
}
