// Where a model runs: what fits on a device of so many bytes, what is taken, and what is said when nothing is.
#include "model/device_choice.h"

#include <cstring>

#include "check.h"
#include "fixtures.h"
#include "model/load_plan.h"
#include "model/split_device.h"

namespace {

using namespace neox;

std::uint64_t free_bytes = 0;

// One byte for a weight's byte and a KV block's byte, 1000 to work in.
const Device& counting_device() {
    static const Device device = [] {
        Device made = cpu_device();
        made.name = "counting";
        made.estimate = [](const void*, const Config* config, const BackendOptions* options,
                           const TensorSpec* tensors, std::size_t n_tensors, MemoryEstimate* out) {
            *out = {0, 0, 1000};
            for (std::size_t i = 0; i < n_tensors; ++i)
                out->weights_bytes += static_cast<std::uint64_t>(tensors[i].n_rows * tensors[i].n_cols);
            out->kv_bytes = static_cast<std::uint64_t>(options->n_layers(config->n_layer)) * 500;
            return Status{};
        };
        made.probe = [](const void*, DeviceProbe* out) {
            *out = DeviceProbe{};
            out->is_usable = 1;
            out->total_bytes = 1 << 30;
            out->free_bytes = free_bytes;
            return Status{};
        };
        return made;
    }();
    return device;
}

// Four layers of 3,000 weights, an embedding and a head of 10,000 each.
struct Load {
    Load() {
        config.n_layer = 4;
        for (std::int32_t layer = 0; layer < 4; ++layer)
            tensors.push_back({Role::ffn_up, layer, DType::F32, 100, 30});
        tensors.push_back({Role::token_embd, -1, DType::F32, 100, 100});
        tensors.push_back({Role::output, -1, DType::F32, 100, 100});
    }
    DeviceLoad load() const { return {config, {}, tensors, is_loaded}; }

    Config config;
    std::vector<TensorSpec> tensors;
    std::function<bool(const Device&)> is_loaded;
};

// Enough for `bytes` with the 256 MiB that are left unplanned.
std::int32_t layers_within(const Load& load, std::uint64_t bytes) {
    free_bytes = bytes + (std::uint64_t{256} << 20);
    return fit_device(counting_device(), load.load()).gpu_layers;
}

constexpr std::uint64_t kHead = 10000, kWork = 1000, kLayer = 3500, kEmbedding = 10000;

}  // namespace

TEST(device_choice_counts_the_last_layers_that_fit) {
    const Load load;
    for (std::int32_t n = 1; n < 4; ++n) {
        const std::uint64_t needed = kHead + kWork + static_cast<std::uint64_t>(n) * kLayer;
        CHECK_EQ(layers_within(load, needed), n);
        CHECK_EQ(layers_within(load, needed - 1), n - 1);
    }
    CHECK_EQ(layers_within(load, kHead + kWork + 4 * kLayer + kEmbedding), 4);
    CHECK_EQ(layers_within(load, kHead + kWork + 4 * kLayer + kEmbedding - 1), 3);
    CHECK_EQ(layers_within(load, 0), 0);
    free_bytes = 1000;  // less than what is left unplanned
    CHECK_EQ(fit_device(counting_device(), load.load()).gpu_layers, 0);
    const MemoryEstimate all = estimate_last_layers(counting_device(), load.load(), 4),
                         two = estimate_last_layers(counting_device(), load.load(), 2);
    CHECK_EQ(all.weights_bytes, 32000);
    CHECK_EQ(two.weights_bytes, 16000);
    CHECK_EQ(all.kv_bytes, 2000);
    CHECK_EQ(two.kv_bytes, 1000);
}

TEST(device_choice_spares_a_share_of_much_memory) {
    Load load;
    load.tensors.push_back({Role::output_norm, -1, DType::F32, 31 << 10, 1 << 20});  // 31 GiB
    const std::uint64_t needed = (std::uint64_t{31} << 30) + kHead + kWork + kLayer;
    free_bytes = needed / 31 * 32 + 64;
    CHECK_EQ(fit_device(counting_device(), load.load()).gpu_layers, 1);
    free_bytes = needed / 31 * 32 - 64;
    CHECK_EQ(fit_device(counting_device(), load.load()).gpu_layers, 0);
}

TEST(device_choice_takes_no_room_for_weights_that_are_there) {
    Load load;
    const std::uint64_t alone = kWork + 4 * 500;
    CHECK_EQ(layers_within(load, alone), 0);
    load.is_loaded = [](const Device& device) { return &device == &counting_device(); };
    CHECK_EQ(layers_within(load, alone), 4);
    CHECK_EQ(layers_within(load, alone - 600), 0);  // nor is it cut where the whole lies there
}

TEST(device_choice_refuses_more_layers_than_there_are) {
    const Load load;
    for (const DevicePolicy policy : {DevicePolicy::automatic, DevicePolicy::cpu, DevicePolicy::gpu}) {
        DeviceRequest request{policy, "", "There is none.", "1", 5};
        CHECK_THROWS(choose_device(request, load.load()), invalid_argument);
        request.gpu_layers = -1;
        CHECK_THROWS(choose_device(request, load.load()), invalid_argument);
    }
}

TEST(device_choice_without_a_library_is_the_cpu_or_an_error) {
    const Load load;
    DeviceRequest request{DevicePolicy::automatic, "", "There is none.", "1", {}};
    const DeviceChoice choice = choose_device(request, load.load());
    CHECK(choice.device == &cpu_device());
    CHECK_EQ(choice.gpu_layers, 0);
    CHECK_EQ(choice.note, "There is none.");
    request.policy = DevicePolicy::gpu;
    CHECK_THROWS(choose_device(request, load.load()), backend);
    request.gpu_layers = 0;
    CHECK(choose_device(request, load.load()).device == &cpu_device());
    request = {DevicePolicy::cpu, "", "", "1", {}};
    CHECK_EQ(choose_device(request, load.load()).note, "");
}

TEST(device_choice_names_the_device_of_a_share) {
    CHECK(&device_of_layers(counting_device(), 4, 0) == &cpu_device());
    CHECK(&device_of_layers(counting_device(), 4, 4) == &counting_device());
    const Device& cut = device_of_layers(counting_device(), 4, 1);
    CHECK(&cut == &split_device(cpu_device(), counting_device(), 3));
    CHECK_EQ(gpu_layers(cut, 4), 1);
    CHECK_EQ(std::string(cut.name), "cpu[0,3)+counting");
}
