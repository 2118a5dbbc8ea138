// What loading shares and what it leaves untouched: weights of one file, memory of the KV pool, positions of
// the rope table.
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
#include "model/model.h"

namespace {

using namespace neox;

const std::string kPath = golden::fixture("checkpoints/sequential-erf");

std::atomic<int> n_created{0}, n_failures_left{0};
std::atomic<bool> is_open{false};

// The CPU, whose uploads wait for is_open and fail as often as told.
Device gated_cpu() {
    Device device = cpu_device();
    device.name = "gated";
    device.create_weights = [](const Config* config, void** weights) {
        ++n_created;
        return cpu_device().create_weights(config, weights);
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

#if defined(__linux__)
TEST(a_lazy_buffer_may_exceed_the_memory) {
    // A system may be set to account for every mapping at once.
    std::ifstream setting("/proc/sys/vm/overcommit_memory");
    if (setting.get() == '2') return;
    const long long memory = sysconf(_SC_PHYS_PAGES) * static_cast<long long>(sysconf(_SC_PAGESIZE));
    PageBuffer buffer(static_cast<std::size_t>(memory) * 4, PageUse::lazy);
    buffer.data()[buffer.size() / 2] = std::byte{1};
    CHECK(buffer.data()[buffer.size() - 1] == std::byte{0});
}
#endif

}  // namespace
