// A model with the engine that runs it: what a NativeModel holds, and its sessions and calls hold with it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "binding/native_task.h"
#include "engine/engine.h"
#include "model/device_choice.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace neox {

// Values that lib/ has checked.
struct HostOptions {
    std::optional<FileType> type;
    std::optional<Precision> precision;
    std::optional<KvType> kv_type;
    int n_threads = 0;       // 0: default_thread_count()
    std::int64_t n_ctx = 0;  // 0: the checkpoint's
    std::int64_t max_sequences = 4;
    std::uint64_t kv_cache_bytes = 0;  // 0: max_sequences x n_ctx positions
    DeviceRequest device;
    bool is_deterministic = false;
};

inline constexpr std::int64_t kMaxContext = std::int64_t{1} << 20;

struct LoadedModel {
    std::shared_ptr<const Model> model;          // outlives the engine, whose backend reads the weights
    std::shared_ptr<const Tokenizer> tokenizer;  // null: no spiece.model in the checkpoint
    BackendOptions backend{};
    std::unique_ptr<Engine> engine;
    Config config;
    std::int32_t gpu_layers = 0;
    std::string device_note;  // why not more of them; empty where there is nothing to say
    std::once_flag disposal;
    bool is_disposed = false;         // JavaScript thread only, as the next
    std::int64_t reported_bytes = 0;  // what V8 was told of
};

// Completes the options for a model: precision, types, context, size of the KV pool. Throws ERR_NEOX_INVALID_ARGUMENT.
BackendOptions backend_options(const Config& config, DType dtype, const HostOptions& options);

// Loads and starts the engine. Wherever the last reference is dropped, the memory is given back on a thread of its own.
std::shared_ptr<LoadedModel> load_with_engine(const std::string& path, const HostOptions& options,
                                              TaskControl& control);

// Tells V8 how much memory stands behind the model's object, so that models dropped without dispose() are collected in time:
// the weights, shared ones counted for each load, and the part of the KV cache that was ever used, as far as they lie in the
// host's memory. JavaScript thread.
void report_memory(Napi::BasicEnv env, LoadedModel& model);
// It stands behind no object any more. JavaScript thread.
void withdraw_memory(Napi::BasicEnv env, LoadedModel& model);

// Ends the engine's calls with ERR_NEOX_DISPOSED and gives back KV cache and weights (those that nobody else uses).
// Not on the JavaScript thread. Idempotent.
void dispose(LoadedModel& model);

}  // namespace neox
