#include "jobs/imatrix.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "base/thread_pool.h"
#include "model/imatrix.h"
#include "model/model.h"

namespace neox {

namespace {

constexpr std::int32_t kMaxRows = 512;

class OwnedBackend {
public:
    OwnedBackend(const Model& model, const BackendOptions& options) {
        neox::check(model.weights->device().create_backend(model.weights->handle(), &options, &backend_));
    }
    OwnedBackend(const OwnedBackend&) = delete;
    OwnedBackend& operator=(const OwnedBackend&) = delete;
    ~OwnedBackend() { backend_.destroy(backend_.self); }

    void forward(const Batch& batch, std::int32_t layer, float* carry) {
        neox::check(backend_.forward(backend_.self, &batch, layer, layer + 1, carry));
    }

private:
    Backend backend_{};
};

// The sums of all layers, and where the network finds them.
class Sums {
public:
    Sums(const Config& c, bool with_output)
        : config_(c), n_embd_(static_cast<std::size_t>(c.n_embd)), n_ff_(static_cast<std::size_t>(c.n_ff)),
          attn_qkv_(layers() * n_embd_), attn_output_(layers() * n_embd_), ffn_up_(layers() * n_embd_),
          ffn_down_(layers() * n_ff_), output_(with_output ? n_embd_ : 0) {}

    InputSquares sink() {
        return {attn_qkv_.data(), attn_output_.data(), ffn_up_.data(), ffn_down_.data(),
                output_.empty() ? nullptr : output_.data()};
    }

    std::map<std::string, ImportanceEntry> entries(double count) const {
        std::map<std::string, ImportanceEntry> all;
        const auto add = [&](const std::string& name, const std::vector<double>& sums, std::size_t begin,
                             std::size_t n) {
            const auto first = sums.begin() + static_cast<std::ptrdiff_t>(begin);
            ImportanceEntry& entry = all[name];
            entry.sums.assign(first, first + static_cast<std::ptrdiff_t>(n));
            entry.count = count;
            for (const double sum : entry.sums)
                if (!std::isfinite(sum))
                    fail(ErrorCode::nan_logits, "What enters '", name, "' is not finite on this text.");
        };
        for (std::size_t layer = 0; layer < layers(); ++layer) {
            const std::string prefix = "blk." + std::to_string(layer) + ".";
            add(prefix + "attn_qkv.weight", attn_qkv_, layer * n_embd_, n_embd_);
            add(prefix + "attn_output.weight", attn_output_, layer * n_embd_, n_embd_);
            add(prefix + "ffn_up.weight", ffn_up_, layer * n_embd_, n_embd_);
            add(prefix + "ffn_down.weight", ffn_down_, layer * n_ff_, n_ff_);
        }
        if (!output_.empty()) add("output.weight", output_, 0, n_embd_);
        return all;
    }

private:
    std::size_t layers() const { return static_cast<std::size_t>(config_.n_layer); }

    const Config& config_;
    std::size_t n_embd_, n_ff_;
    std::vector<double> attn_qkv_, attn_output_, ffn_up_, ffn_down_, output_;
};

BackendOptions backend_options(const Model& model, const CollectOptions& options, const JobControl& control) {
    BackendOptions result{};
    result.precision = options.precision.value_or(default_precision(model.dtype));
    result.kv_type = result.precision == Precision::exact ? KvType::f32 : KvType::f16;
    result.n_threads = control.n_threads > 0 ? control.n_threads : default_thread_count();
    result.n_kv_blocks = (options.chunk_size + kKvBlock - 1) / kKvBlock;
    result.n_ctx = options.chunk_size;
    result.max_rows = std::min(options.chunk_size, kMaxRows);
    return result;
}

// The ids of chunk `index`.
std::vector<std::int32_t> chunk_of(const CollectOptions& options, std::int64_t index) {
    const auto first = options.ids.begin() + index * options.chunk_size;
    std::vector<std::int32_t> ids(first, first + options.chunk_size);
    if (options.bos >= 0) ids[0] = options.bos;
    return ids;
}

std::map<std::string, ImportanceEntry> run_chunks(const Model& model, const CollectOptions& options,
                                                  std::int64_t n_chunks, const JobControl& control) {
    const Config& config = model.config();
    const BackendOptions setup = backend_options(model, options, control);
    OwnedBackend backend(model, setup);
    Sums sums(config, options.process_output);
    const InputSquares sink = sums.sink();
    std::vector<std::int32_t> blocks(static_cast<std::size_t>(setup.n_kv_blocks));
    std::iota(blocks.begin(), blocks.end(), 0);
    const SequenceView sequence{blocks.data(), setup.n_kv_blocks, nullptr};
    std::vector<float> carry(static_cast<std::size_t>(setup.max_rows) *
                             static_cast<std::size_t>(config.n_embd));
    const auto total = static_cast<std::uint64_t>(n_chunks) * static_cast<std::uint64_t>(options.chunk_size);
    std::uint64_t done = 0;
    for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) {
        const std::vector<std::int32_t> ids = chunk_of(options, chunk);
        for (std::int32_t begin = 0; begin < options.chunk_size; begin += setup.max_rows) {
            std::vector<Row> rows(
                static_cast<std::size_t>(std::min(setup.max_rows, options.chunk_size - begin)));
            for (std::size_t i = 0; i < rows.size(); ++i) {
                rows[i].pos = begin + static_cast<std::int32_t>(i);
                rows[i].rope_length = options.chunk_size;
                rows[i].token = ids[static_cast<std::size_t>(rows[i].pos)];
            }
            const Batch batch{rows.data(), static_cast<std::int32_t>(rows.size()), &sequence, 1, &sink};
            for (std::int32_t layer = 0; layer < config.n_layer; ++layer) {
                control.check();
                backend.forward(batch, layer, carry.data());
                const auto layers_done = static_cast<std::uint64_t>(layer) + 1;
                if (control.on_progress)
                    control.on_progress(
                        done + rows.size() * layers_done / static_cast<std::uint64_t>(config.n_layer), total);
            }
            done += rows.size();
        }
    }
    return sums.entries(static_cast<double>(total));
}

std::int64_t count_chunks(const CollectOptions& options) {
    if (options.chunk_size < 1)
        fail(ErrorCode::invalid_argument, "A chunk of ", options.chunk_size, " tokens cannot be run.");
    const auto fitting = static_cast<std::int64_t>(options.ids.size()) / options.chunk_size;
    if (fitting == 0)
        fail(ErrorCode::invalid_argument, "The text has ", options.ids.size(),
             " tokens, fewer than one chunk of ", options.chunk_size,
             "; give a longer text or smaller chunks.");
    return options.max_chunks > 0 ? std::min(fitting, options.max_chunks) : fitting;
}

// That of the first matrix that tells; 0 if none does.
std::uint32_t known_chunk_size(const std::vector<ImportanceMatrix>& matrices) {
    for (const ImportanceMatrix& matrix : matrices)
        if (matrix.chunk_size > 0) return matrix.chunk_size;
    return 0;
}

}  // namespace

CollectResult collect_imatrix(const CollectOptions& options, const JobControl& control) {
    if (options.ids.empty() && options.inputs.empty())
        fail(ErrorCode::invalid_argument, "There is neither a text nor an importance matrix to read.");
    const std::int64_t n_chunks = options.ids.empty() ? 0 : count_chunks(options);
    std::vector<ImportanceMatrix> inputs;
    for (const std::string& path : options.inputs) inputs.push_back(read_imatrix(path));
    ImportanceMatrix matrix;
    matrix.chunk_size =
        options.ids.empty() ? known_chunk_size(inputs) : static_cast<std::uint32_t>(options.chunk_size);
    for (const ImportanceMatrix& input : inputs) add_imatrix(matrix, input);
    CollectResult result;
    if (n_chunks > 0) {
        LoadOptions load;
        load.n_threads = control.n_threads;
        load.cancel = control.cancel;
        const auto model = load_model(options.model, cpu_device(), load);
        if (options.chunk_size > model->config().n_ctx_train)
            fail(ErrorCode::invalid_argument, "A chunk of ", options.chunk_size, " tokens exceeds the ",
                 model->config().n_ctx_train, " positions that the model was trained with.");
        ImportanceMatrix own;
        own.entries = run_chunks(*model, options, n_chunks, control);
        own.chunk_size = matrix.chunk_size;
        own.chunk_count = static_cast<std::uint32_t>(n_chunks);
        if (!options.dataset.empty()) own.datasets.push_back(options.dataset);
        add_imatrix(matrix, own);
        result.n_chunks = own.chunk_count;
        result.n_tokens = static_cast<std::uint64_t>(n_chunks) * matrix.chunk_size;
    }
    result.n_entries = matrix.entries.size();
    control.check();
    write_imatrix(matrix, options.output);
    return result;
}

}  // namespace neox
