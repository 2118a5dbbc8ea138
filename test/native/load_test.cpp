// What loading shares and what it leaves untouched: weights of one file, memory of the KV pool, positions of
// the rope table.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <thread>
#if defined(__linux__)
#include <unistd.h>
#endif

#include "base/page_buffer.h"
#include "check.h"
#include "fixtures.h"
#include "gguf/gguf.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"
#include "model/model.h"
#include "scratch.h"

namespace {

using namespace neox;

const std::string kPath = golden::fixture("checkpoints/sequential-erf");

std::atomic<int> n_created{0}, n_failures_left{0};
std::atomic<bool> is_open{false};

// The CPU, whose uploads wait for is_open and fail as often as told.
Device gated_cpu() {
    Device device = cpu_device();
    device.name = "gated";
    device.create_weights = [](const void* self, const Config* config, const TensorSpec* tensors,
                               std::size_t n_tensors, void** weights) {
        ++n_created;
        return cpu_device().create_weights(self, config, tensors, n_tensors, weights);
    };
    device.upload = [](void* weights, const Upload* slice) {
        while (!is_open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (n_failures_left > 0) {
            --n_failures_left;
            return make_status(ErrorCode::io, "told to");
        }
        return cpu_device().upload(weights, slice);
    };
    return device;
}

void reset(int n_failures) {
    n_created = 0;
    n_failures_left = n_failures;
    is_open = false;
}

struct Loader {
    std::shared_ptr<const Model> model;
    ErrorCode error = ErrorCode::ok;
    std::atomic<bool> cancel{false};
    std::thread thread;

    void start(const Device& device) {
        thread = std::thread([this, &device] {
            LoadOptions options;
            options.n_threads = 1;
            options.cancel = &cancel;
            try {
                model = load_model(kPath, device, options);
            } catch (const Error& e) {
                error = e.code();
            }
        });
    }
};

void wait_until_created() {
    while (n_created == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(loads_at_the_same_time_share_one_copy) {
    const Device device = gated_cpu();
    reset(0);
    Loader loaders[3];
    for (Loader& loader : loaders) loader.start(device);
    wait_until_created();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the others reach the first
    is_open = true;
    for (Loader& loader : loaders) loader.thread.join();
    CHECK_EQ(n_created.load(), 1);
    for (const Loader& loader : loaders)
        CHECK(loader.model && loader.model->weights == loaders[0].model->weights);
}

TEST(a_load_that_waits_can_be_cancelled) {
    const Device device = gated_cpu();
    reset(0);
    Loader first, second;
    first.start(device);
    wait_until_created();
    second.start(device);
    second.cancel = true;
    second.thread.join();
    is_open = true;
    first.thread.join();
    CHECK(second.error == ErrorCode::cancelled);
    CHECK(first.model != nullptr);
    CHECK_EQ(n_created.load(), 1);
}

TEST(a_load_that_waits_takes_over_when_the_first_fails) {
    const Device device = gated_cpu();
    reset(1);
    Loader first, second;
    first.start(device);
    wait_until_created();
    second.start(device);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    is_open = true;
    first.thread.join();
    second.thread.join();
    CHECK(first.error == ErrorCode::io);
    CHECK(second.model != nullptr);
    CHECK_EQ(n_created.load(), 2);
}

// Quantizing a file and quantizing while loading refuse the same numbers, and say where they are.
TEST(a_weight_beyond_the_type_asked_for_is_an_error_that_names_it) {
    const scratch::Folder folder;
    const std::string path = folder / "m.gguf";
    SynthOptions random;
    random.shape = "tiny";
    random.output = path;
    random.type = FileType::F32;
    synth(random);
    const GgufFile file = read_gguf(File(path));
    const auto tensor = std::find_if(file.tensors.begin(), file.tensors.end(),
                                     [](const Tensor& t) { return t.name == "blk.1.ffn_up.weight"; });
    const std::uint64_t row = row_bytes(tensor->dtype, tensor->n_cols());
    std::vector<std::byte> bytes = read_file(path, 1 << 26);
    const auto set = [&](float value) {
        std::memcpy(bytes.data() + file.data_offset + tensor->offset + 2 * row, &value, sizeof value);
        scratch::write(path, bytes);
    };
    const auto error_of = [](auto action) -> std::string {
        try {
            action();
        } catch (const Error& e) {
            return std::string(error_code_name(e.code())) + " " + e.what();
        }
        return "none";
    };
    const auto load = [&](FileType type) {
        LoadOptions options;
        options.type = type;
        load_model(path, cpu_device(), options);
    };
    for (const FileType type : {FileType::F16, FileType::Q4_K_M}) {
        set(65520.0f);
        const std::string while_loading = error_of([&] { load(type); });
        CHECK(
            while_loading.starts_with("ERR_NEOX_FORMAT_VALUE Tensor 'blk.1.ffn_up.weight', from row 0 on: "));
        CHECK_EQ(while_loading, error_of([&] { quantize({path, folder / "q.gguf", {type}}); }));
        set(65503.0f);
        load(type);
        quantize({path, folder / "q.gguf", {type}});
    }
}

#if defined(__linux__)
TEST(a_lazy_buffer_may_exceed_the_memory) {
    // A system may be set to account for every mapping at once.
    std::ifstream setting("/proc/sys/vm/overcommit_memory");
    if (setting.get() == '2') return;
    const long long memory = sysconf(_SC_PHYS_PAGES) * static_cast<long long>(sysconf(_SC_PAGESIZE));
    PageBuffer buffer(static_cast<std::size_t>(memory) * 4, "a test", PageUse::lazy);
    buffer.data()[buffer.size() / 2] = std::byte{1};
    CHECK(buffer.data()[buffer.size() - 1] == std::byte{0});
}
#endif

}  // namespace
