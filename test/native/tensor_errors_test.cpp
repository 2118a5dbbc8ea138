// Quantization guided by an importance matrix, and the report of what it did.
#include "jobs/tensor_errors.h"

#include <cmath>

#include "check.h"
#include "golden.h"
#include "jobs/convert.h"
#include "jobs/imatrix.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"
#include "model/imatrix.h"
#include "model/source.h"
#include "quant/quant.h"
#include "scratch.h"

namespace {

using namespace neox;

std::vector<float> values_of(const TensorSource& source, std::size_t index) {
    const Tensor& tensor = source.tensors()[index];
    std::vector<std::byte> bytes(row_bytes(tensor.dtype, tensor.n_cols()) * tensor.n_rows());
    source.read_rows(index, 0, tensor.n_rows(), bytes.data());
    std::vector<float> values(tensor.n_elements());
    dequantize_row(tensor.dtype, bytes.data(), static_cast<std::int64_t>(values.size()), values.data());
    return values;
}

// A model of two layers in F32, 256 columns, and an importance matrix that tells its columns far apart.
struct Setup {
    scratch::Folder folder;
    std::string model = folder / "model", imatrix = folder / "imatrix";
    ImportanceMatrix matrix;

    Setup() {
        synth({.shape = "tiny", .output = model, .type = FileType::F32});
        const auto source = open_source(model);
        for (const Tensor& tensor : source->tensors()) {
            if (tensor.n_rows() == 1 || !tensor.name.starts_with("blk.")) continue;
            ImportanceEntry& entry = matrix.entries[tensor.name];
            entry.count = 512;
            for (std::uint64_t i = 0; i < tensor.n_cols(); ++i)
                entry.sums.push_back(i % 7 == 0 ? 512.0 : 0.5);
        }
        matrix.datasets = {"a.txt", "b.txt"};
        matrix.chunk_count = 1;
        matrix.chunk_size = 512;
        write_imatrix(matrix, imatrix);
    }

    QuantizeOptions options(FileType type, const std::string& output) const {
        QuantizeOptions options;
        options.source = model;
        options.output = output;
        options.types.type = type;
        options.types.is_pure = true;
        options.measure_errors = true;
        return options;
    }
};

// The figures of one tensor by the plainest way, from the two files.
TensorError measured(const TensorSource& before, const TensorSource& after, const std::string& name,
                     const std::vector<float>& weights) {
    TensorError error;
    double squares = 0, errors = 0, weighted_squares = 0, weighted_errors = 0;
    for (std::size_t t = 0; t < before.tensors().size(); ++t) {
        if (before.tensors()[t].name != name) continue;
        const std::vector<float> a = values_of(before, t), b = values_of(after, t);
        const std::size_t n_cols = before.tensors()[t].n_cols();
        error.n_elements = a.size();
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double x = a[i], e = double{b[i]} - x, w = weights[i % n_cols];
            squares += x * x, errors += e * e;
            weighted_squares += w * x * x, weighted_errors += w * e * e;
            error.max_error = std::max(error.max_error, std::fabs(e));
        }
    }
    error.rms = std::sqrt(squares / static_cast<double>(error.n_elements));
    error.rmse = std::sqrt(errors / static_cast<double>(error.n_elements));
    error.weighted_error = std::sqrt(weighted_errors / weighted_squares);
    return error;
}

}  // namespace

TEST(tensor_errors_are_those_between_the_files) {
    const Setup setup;
    for (const FileType type : {FileType::Q4_0, FileType::Q8_0, FileType::BF16}) {
        QuantizeOptions options = setup.options(type, setup.folder / "out");
        options.imatrix = setup.imatrix;
        const WrittenFile written = quantize(options);
        const auto before = open_source(setup.model), after = open_source(options.output);
        CHECK_EQ(written.errors.size(), 10);  // token_embd, four matrices of two layers, output
        for (const TensorError& error : written.errors) {
            const auto entry = setup.matrix.entries.find(error.name);
            const bool is_weighted = type == FileType::Q4_0 && entry != setup.matrix.entries.end();
            const std::vector<float> weights =
                is_weighted ? entry->second.weights() : std::vector<float>(1024, 1.0f);
            const TensorError expected = measured(*before, *after, error.name, weights);
            CHECK_EQ(error.n_elements, expected.n_elements);
            CHECK_NEAR(error.rms, expected.rms, 1e-9 * expected.rms);
            CHECK_NEAR(error.rmse, expected.rmse, 1e-9 * expected.rmse);
            CHECK_EQ(error.max_error, expected.max_error);
            CHECK_EQ(error.weighted_error.has_value(), is_weighted);
            if (is_weighted)
                CHECK_NEAR(*error.weighted_error, *expected.weighted_error, 1e-9 * *expected.weighted_error);
            CHECK(error.rmse > 0.0);
            const double bits = type == FileType::Q4_0 ? 4.5 : type == FileType::Q8_0 ? 8.5 : 16.0;
            CHECK_NEAR(error.bits_per_weight, bits, 1e-9);
        }
    }
}

TEST(tensor_errors_have_the_same_bits_on_any_number_of_threads) {
    const Setup setup;
    const auto run = [&](int n_threads) {
        JobControl control;
        control.n_threads = n_threads;
        QuantizeOptions options = setup.options(FileType::Q4_0, setup.folder / "out");
        options.imatrix = setup.imatrix;
        std::vector<double> values;
        for (const TensorError& error : quantize(options, control).errors)
            for (const double value : {error.rms, error.rmse, error.weighted_error.value_or(0.0)})
                values.push_back(value);
        return values;
    };
    CHECK(run(1) == run(3));
}

TEST(tensor_errors_of_what_stays_are_not_told) {
    const Setup setup;
    CHECK(quantize(setup.options(FileType::F32, setup.folder / "out")).errors.empty());
    QuantizeOptions options = setup.options(FileType::Q8_0, setup.folder / "out");
    options.measure_errors = false;
    CHECK(quantize(options).errors.empty());
    ConvertOptions convert_options;
    convert_options.source = golden::fixture("checkpoints/sequential-erf");
    convert_options.output = setup.folder / "converted";
    convert_options.types.type = FileType::Q8_0;
    convert_options.measure_errors = true;
    CHECK_EQ(convert(convert_options).errors.size(), 10);
}

TEST(quantize_with_an_importance_matrix_lowers_the_weighted_error) {
    const Setup setup;
    for (const FileType type : {FileType::Q4_0, FileType::Q2_K, FileType::Q4_K_S, FileType::IQ4_NL}) {
        QuantizeOptions options = setup.options(type, setup.folder / "plain");
        quantize(options);
        options.output = setup.folder / "guided";
        options.imatrix = setup.imatrix;
        quantize(options);
        const auto before = open_source(setup.model), plain = open_source(setup.folder / "plain"),
                   guided = open_source(setup.folder / "guided");
        double plain_sum = 0, guided_sum = 0;
        for (const auto& [name, entry] : setup.matrix.entries) {
            plain_sum += *measured(*before, *plain, name, entry.weights()).weighted_error;
            guided_sum += *measured(*before, *guided, name, entry.weights()).weighted_error;
        }
        CHECK(guided_sum < 0.97 * plain_sum);
    }
}

TEST(quantize_names_its_importance_matrix) {
    const Setup setup;
    QuantizeOptions options = setup.options(FileType::Q4_0, setup.folder / "out");
    options.imatrix = setup.imatrix;
    CHECK(quantize(options).unweighted.empty());
    const GgufFile file = read_gguf(File(options.output));
    CHECK_EQ(file.get_string("quantize.imatrix.file"), "imatrix");
    CHECK_EQ(file.get_string("quantize.imatrix.dataset"), "a.txt, b.txt");
    CHECK_EQ(file.get_u32("quantize.imatrix.entries_count"), 8);
    CHECK_EQ(file.get_u32("quantize.imatrix.chunks_count"), 1);
    // Another type without it: the keys go.
    QuantizeOptions again = setup.options(FileType::F16, setup.folder / "again");
    again.source = options.output;
    quantize(again);
    CHECK(!read_gguf(File(again.output)).find("quantize.imatrix.file"));
}

TEST(quantize_refuses_the_importance_matrix_of_another_model) {
    const Setup setup;
    QuantizeOptions options = setup.options(FileType::Q4_0, setup.folder / "out");
    const auto with = [&](auto change) {
        ImportanceMatrix matrix = setup.matrix;
        change(matrix);
        write_imatrix(matrix, setup.folder / "changed");
        options.imatrix = setup.folder / "changed";
        return quantize(options);
    };
    CHECK_THROWS(with([](ImportanceMatrix& m) { m.entries["blk.0.ffn_up.weight"].sums.push_back(1.0); }),
                 format_shape);
    CHECK_THROWS(with([](ImportanceMatrix& m) {
                     m.entries = {{"blk.7.ffn_up.weight", {{1.0}, 1.0}}};
                 }),
                 format_value);
    CHECK(!is_regular_file(options.output));
    const WrittenFile written = with([](ImportanceMatrix& m) { m.entries.erase("blk.1.attn_qkv.weight"); });
    CHECK_EQ(written.unweighted.size(), 1);
    CHECK_EQ(written.unweighted[0], "blk.1.attn_qkv.weight");
    options.imatrix = setup.folder / "absent";
    CHECK_THROWS(quantize(options), file_not_found);
    options.imatrix = setup.model;
    CHECK_THROWS(quantize(options), format_value);
}
