#include "binding/loaded_model.h"

#include <algorithm>
#include <future>
#include <limits>
#include <system_error>
#include <utility>

#include "base/thread.h"
#include "base/thread_pool.h"
#include "binding/tokenizer.h"
#include "model/kv_memory.h"
#include "model/load_plan.h"
#include "model/split_device.h"

namespace neox {

namespace {

constexpr std::int32_t kMaxRows = 512;

// Freeing gigabytes and joining threads takes too long for a finalizer on the JavaScript thread.
void destroy_elsewhere(LoadedModel* model) {
    if (model->engine && model->engine->is_of_another_process()) return;
    try {
        Thread([model] {
            delete model;
            return_free_memory();
        }).detach();
    } catch (const std::system_error&) {
        delete model;
    }
}

// A tokenizer that is made while the weights are read; at once where no thread can be had.
class TokenizerBeside {
public:
    // A load that ends early waits for it.
    ~TokenizerBeside() {
        if (thread_.joinable()) thread_.join();
    }
    void make(const ModelText& text) {
        if (made_.valid()) return;  // by a load that was tried on another device
        const auto task =
            std::make_shared<std::packaged_task<Made()>>([text] { return make_tokenizer(text); });
        made_ = task->get_future().share();
        try {
            thread_ = Thread([task] { (*task)(); });
        } catch (const std::system_error&) {
            (*task)();
        }
    }
    // Throws what making it has thrown.
    std::shared_ptr<const Tokenizer> get() { return made_.get(); }

private:
    using Made = std::shared_ptr<const Tokenizer>;

    std::shared_future<Made> made_;  // kept: a load that is tried again takes the same
    Thread thread_;
};

}  // namespace

BackendOptions backend_options(const Config& config, DType dtype, const HostOptions& options) {
    BackendOptions result{};
    result.precision = options.precision.value_or(default_precision(dtype));
    result.kv_type =
        options.kv_type.value_or(result.precision == Precision::exact ? KvType::f32 : KvType::f16);
    result.n_threads = options.n_threads > 0 ? options.n_threads : default_thread_count();
    const std::int64_t n_ctx = options.n_ctx > 0 ? options.n_ctx : std::int64_t{config.n_ctx_train};
    result.n_ctx = static_cast<std::int32_t>(std::min(n_ctx, kMaxContext));
    const std::int64_t blocks_of_one = (result.n_ctx + kKvBlock - 1) / kKvBlock;
    std::uint64_t n_blocks = static_cast<std::uint64_t>(options.max_sequences * blocks_of_one);
    if (options.kv_cache_bytes > 0) {
        n_blocks = options.kv_cache_bytes / kv_block_bytes(config, result.kv_type, config.n_layer);
        if (n_blocks == 0)
            fail(ErrorCode::invalid_argument, "kvCacheBytes of ", options.kv_cache_bytes,
                 " holds not even one block of ", kKvBlock, " positions, which takes ",
                 kv_block_bytes(config, result.kv_type, config.n_layer), " bytes.");
    }
    constexpr std::uint64_t kMaxBlocks = std::numeric_limits<std::int32_t>::max();
    result.n_kv_blocks = static_cast<std::int32_t>(std::min(n_blocks, kMaxBlocks));
    result.max_rows = kMaxRows;
    result.deterministic = options.is_deterministic ? 1 : 0;
    return result;
}

namespace {

// `used_gpu` becomes true when a GPU was chosen, whatever becomes of the load.
std::shared_ptr<LoadedModel> load_on(const std::string& path, const HostOptions& options,
                                     TaskControl& control, TokenizerBeside& tokenizer, bool& used_gpu) {
    LoadOptions load;
    load.type = options.type;
    load.n_threads = options.n_threads;
    load.cancel = &control.cancel;
    load.on_progress = [&control](std::uint64_t done, std::uint64_t total) { control.progress(done, total); };
    load.on_text = [&tokenizer](const ModelText& text) { tokenizer.make(text); };

    std::shared_ptr<LoadedModel> loaded(new LoadedModel, destroy_elsewhere);
    const ChooseDevice choose = [&](const TensorSource& source, const LoadPlan& plan,
                                    const auto& is_loaded) -> const Device& {
        const std::vector<TensorSpec> tensors = plan.specs();
        DeviceChoice choice = choose_device(
            options.device,
            {source.config(), backend_options(source.config(), plan.dtype, options), tensors, is_loaded});
        loaded->gpu_layers = choice.gpu_layers;
        used_gpu = choice.gpu_layers > 0;
        loaded->device_note = std::move(choice.note);
        return *choice.device;
    };
    loaded->model = load_model(path, choose, load);
    loaded->config = loaded->model->config();
    loaded->tokenizer = tokenizer.get();
    loaded->backend = backend_options(loaded->config, loaded->model->dtype, options);
    Backend backend{};
    const Weights& weights = *loaded->model->weights;
    check(weights.device().create_backend(weights.handle(), &loaded->backend, &backend));
    const EngineOptions engine{loaded->backend.n_ctx, loaded->backend.n_kv_blocks, loaded->backend.max_rows};
    try {
        loaded->engine = std::make_unique<Engine>(loaded->config, backend, engine);
    } catch (...) {
        backend.destroy(backend.self);
        throw;
    }
    return loaded;
}

}  // namespace

std::shared_ptr<LoadedModel> load_with_engine(const std::string& path, const HostOptions& options,
                                              TaskControl& control) {
    TokenizerBeside tokenizer;
    bool used_gpu = false;
    try {
        return load_on(path, options, control, tokenizer, used_gpu);
    } catch (const Error& error) {
        // What the device said before may no longer be true when its memory is taken.
        const bool is_of_device = error.code() == ErrorCode::out_of_memory ||
                                  error.code() == ErrorCode::backend ||
                                  error.code() == ErrorCode::unsupported;
        if (options.device.policy != DevicePolicy::automatic || !used_gpu || !is_of_device) throw;
        HostOptions without = options;
        without.device.library.clear();
        without.device.absence = error.what();
        return load_on(path, without, control, tokenizer, used_gpu);
    }
}

void report_memory(Napi::BasicEnv env, LoadedModel& model) {
    const Weights& weights = *model.model->weights;
    const std::int32_t n_layer = model.config.n_layer;
    const std::uint64_t kv_bytes = model.engine->kv_bytes() / static_cast<std::uint64_t>(n_layer) *
                                   static_cast<std::uint64_t>(n_layer - model.gpu_layers);
    const auto bytes =
        static_cast<std::int64_t>(host_weights_bytes(weights.device(), weights.handle()) + kv_bytes);
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - std::exchange(model.reported_bytes, bytes));
}

void withdraw_memory(Napi::BasicEnv env, LoadedModel& model) {
    Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(model.reported_bytes, 0));
}

void dispose(LoadedModel& model) {
    std::call_once(model.disposal, [&model] {
        model.engine->stop();
        model.model.reset();
        return_free_memory();
    });
}

}  // namespace neox
