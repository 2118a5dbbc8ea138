#include "model/model.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/quantize_rows.h"
#include "model/fingerprint.h"
#include "model/load_plan.h"
#include "quant/quant.h"

namespace neox {

namespace {

// Of f32 at a time while converting: they stay in a core's cache.
constexpr std::uint64_t kBatchElements = 32768;

// Never destroyed: workers may still load while the process exits.
struct Registry {
    std::mutex mutex;
    std::condition_variable changed;  // an entry left `loading`
    std::map<std::string, std::weak_ptr<const Weights>> weights;
    std::set<std::string> loading;  // keys whose weights a thread is reading right now
};

Registry& registry() {
    static Registry& instance = *new Registry;
    return instance;
}

void check_cancelled(const LoadOptions& options) {
    if (options.cancel && options.cancel->load(std::memory_order_relaxed))
        fail(ErrorCode::cancelled, "Loading was cancelled.");
}

// What a thread holds of the file at a time.
struct Piece {
    AlignedBuffer<std::byte> raw, converted;
    AlignedBuffer<float> values;
};

// One slice of rows of one tensor: read, converted if asked, handed to the device.
void load_slice(const TensorSource& source, const Device& device, void* handle, const PlannedTensor& tensor,
                const LoadSlice& slice, Piece& piece) {
    const Tensor& file = source.tensors()[tensor.index];
    const std::uint64_t stride = row_bytes(file.dtype, file.n_cols());
    piece.raw.grow(stride * slice.n_rows);
    source.read_rows(tensor.index, slice.row_begin, slice.n_rows, piece.raw.data());
    const std::byte* rows = piece.raw.data();
    const TensorSpec& spec = tensor.spec;
    if (spec.dtype != file.dtype) {
        const std::uint64_t to = row_bytes(spec.dtype, file.n_cols());
        const std::int64_t n_cols = static_cast<std::int64_t>(file.n_cols());
        const std::uint64_t step = std::max<std::uint64_t>(1, kBatchElements / file.n_cols());
        piece.values.grow(std::min(step, slice.n_rows) * file.n_cols());
        piece.converted.grow(to * slice.n_rows);
        for (std::uint64_t row = 0; row < slice.n_rows; row += step) {
            const auto n_rows = static_cast<std::int64_t>(std::min(step, slice.n_rows - row));
            dequantize_row(file.dtype, rows + row * stride, n_rows * n_cols, piece.values.data());
            try {
                quantize_rows(spec.dtype, piece.values.data(), n_rows, n_cols, nullptr,
                              piece.converted.data() + row * to);
            } catch (const Error& e) {
                throw Error(e.code(), text("Tensor '", file.name, "', from row ", slice.row_begin + row,
                                           " on: ", e.what()));
            }
        }
        rows = piece.converted.data();
    }
    const Upload upload{spec.role,
                        spec.layer,
                        spec.dtype,
                        spec.n_rows,
                        spec.n_cols,
                        static_cast<std::int64_t>(slice.row_begin),
                        static_cast<std::int64_t>(slice.n_rows),
                        rows};
    check(device.upload(handle, &upload));
}

std::shared_ptr<const Weights> read_weights(const TensorSource& source, const LoadPlan& plan,
                                            const Device& device, const LoadOptions& options) {
    void* handle = nullptr;
    const std::vector<TensorSpec> specs = plan.specs();
    check(device.create_weights(device.self, &source.config(), specs.data(), specs.size(), &handle));
    auto weights = std::make_shared<const Weights>(device, handle);
    ThreadPool pool(options.n_threads > 0 ? options.n_threads : default_thread_count());
    std::vector<Piece> pieces(static_cast<std::size_t>(pool.size()));
    std::atomic<std::uint64_t> done{0};
    const auto load = [&](std::size_t task, int thread) {
        check_cancelled(options);
        const LoadSlice& slice = plan.slices[task];
        load_slice(source, device, handle, plan.tensors[slice.tensor], slice,
                   pieces[static_cast<std::size_t>(thread)]);
        const std::uint64_t now = done.fetch_add(slice.n_bytes) + slice.n_bytes;
        if (thread == 0 && options.on_progress) options.on_progress(now, plan.n_bytes);
    };
    pool.parallel_for(plan.slices.size(), load);
    if (options.on_progress) options.on_progress(plan.n_bytes, plan.n_bytes);
    return weights;
}

std::string weights_key(const TensorSource& source, const Device& device, const LoadOptions& options) {
    return text(device.name, " ", static_cast<const void*>(&device), " ",
                options.type ? file_type_info(*options.type).name : "as stored", " ", source.identity());
}

// Or a thread is reading them now.
bool are_loaded(const std::string& key) {
    Registry& shared = registry();
    const std::lock_guard lock(shared.mutex);
    const auto entry = shared.weights.find(key);
    return shared.loading.count(key) != 0 || (entry != shared.weights.end() && !entry->second.expired());
}

// Takes a key out of `loading` however the load ends, and lets those who wait for it look again.
class LoadingMark {
public:
    explicit LoadingMark(const std::string& key) : key_(key) {}
    LoadingMark(const LoadingMark&) = delete;
    LoadingMark& operator=(const LoadingMark&) = delete;
    ~LoadingMark() {
        const std::lock_guard lock(registry().mutex);
        registry().loading.erase(key_);
        registry().changed.notify_all();
    }

private:
    const std::string& key_;
};

// The weights of `key`: those that live already, else those that another thread is reading, else read here.
std::shared_ptr<const Weights> share_weights(const std::string& key, const TensorSource& source,
                                             const LoadPlan& plan, const Device& device,
                                             const LoadOptions& options) {
    Registry& shared = registry();
    {
        std::unique_lock lock(shared.mutex);
        for (;;) {
            const auto entry = shared.weights.find(key);
            if (entry != shared.weights.end())
                if (auto weights = entry->second.lock()) return weights;
            if (shared.loading.insert(key).second) break;
            check_cancelled(options);
            shared.changed.wait_for(lock, std::chrono::milliseconds(50));
        }
    }
    const LoadingMark mark(key);
    std::shared_ptr<const Weights> weights = read_weights(source, plan, device, options);
    const std::lock_guard lock(shared.mutex);
    std::erase_if(shared.weights, [](const auto& entry) { return entry.second.expired(); });
    shared.weights[key] = weights;
    return weights;
}

}  // namespace

std::shared_ptr<const Model> load_model(const std::string& path, const Device& device,
                                        const LoadOptions& options) {
    const auto given = [&](const TensorSource&, const LoadPlan&, const auto&) -> const Device& {
        return device;
    };
    return load_model(path, ChooseDevice(given), options);
}

std::shared_ptr<const Model> load_model(const std::string& path, const ChooseDevice& choose,
                                        const LoadOptions& options) {
    std::uint64_t n_bytes = 0;
    const auto no_memory = [&](const char* reason) {
        return Error(ErrorCode::out_of_memory, text("Cannot load '", path, "' with ", n_bytes,
                                                    " bytes of weights in the file: ", reason));
    };
    try {
        const std::unique_ptr<TensorSource> source = open_source(path);
        const LoadPlan plan = plan_load(*source, options.type);
        n_bytes = plan.n_bytes;
        auto model = std::make_shared<Model>();
        model->parsed = source->parsed();
        model->text = source->text();
        if (options.on_text) options.on_text(model->text);
        model->dtype = plan.dtype;
        model->file_type = options.type ? options.type : source->file_type();
        model->is_requantized = plan.is_requantized;
        model->file_bytes = plan.n_bytes;

        const Device& device = choose(*source, plan, [&](const Device& each) {
            return are_loaded(weights_key(*source, each, options));
        });
        const std::string key = weights_key(*source, device, options);
        model->weights = share_weights(key, *source, plan, device, options);
        model->fingerprint = fingerprint(*source, plan);
        return model;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::out_of_memory) throw;
        throw no_memory(error.what());
    } catch (const std::bad_alloc&) {
        throw no_memory("Out of memory.");
    }
}

Precision default_precision(DType dtype) {
    switch (dtype) {
        case DType::F32: return Precision::exact;
        case DType::F16:
        case DType::BF16: return Precision::high;
        default: return Precision::fast;
    }
}

}  // namespace neox
