// cuda/runtime.h: order, events, graphs, and failures. What only the emulation can promise is tested where it is compiled in.
#include <cstdint>
#include <vector>

#include "check.h"
#include "cuda/device.cuh"
#include "cuda/runtime.h"
#if defined(NEOX_CUDA_EMULATED)
#include "cuda/host/runtime_emulated.h"
#endif

using namespace neox;
using namespace neox::cuda;

namespace {

struct AddArgs {
    std::uint32_t* numbers;
    const std::uint32_t* amount;
    int n;
};

NEOX_KERNEL void add_kernel(AddArgs args) {
    const int i = block_id().x * block_size() + thread_id();
    if (i < args.n) args.numbers[i] += *args.amount;
}

struct Numbers {
    explicit Numbers(std::size_t n) : device(n), amount(1), host(n), host_amount(1) {
        for (std::size_t i = 0; i < n; ++i) host.data()[i] = static_cast<std::uint32_t>(i);
        stream.copy_to_device(device.data(), host.data(), host.bytes());
    }
    void set_amount(std::uint32_t value) {
        stream.synchronize();  // the copy before reads the same place
        host_amount.data()[0] = value;
        stream.copy_to_device(amount.data(), host_amount.data(), host_amount.bytes());
    }
    void add() {
        const int n = static_cast<int>(device.size());
        stream.launch(add_kernel, {.x = (n + 63) / 64, .n_threads = 64},
                      AddArgs{device.data(), amount.data(), n});
    }
    void fetch() {
        stream.copy_to_host(host.data(), device.data(), host.bytes());
        stream.synchronize();
    }

    Stream stream;
    DeviceBuffer<std::uint32_t> device, amount;
    PinnedBuffer<std::uint32_t> host, host_amount;
};

TEST(cuda_stream_keeps_its_order) {
    Numbers numbers(1000);
    numbers.set_amount(5);
    numbers.add();
    numbers.add();
    numbers.stream.fill_zero(numbers.device.data(), 8);
    numbers.fetch();
    for (std::uint32_t i = 0; i < 1000; ++i) CHECK_EQ(numbers.host.data()[i], i < 2 ? 0 : i + 10);
}

TEST(cuda_graph_is_recorded_once) {
    Numbers numbers(100);
    numbers.set_amount(1);
    Graph graph;
    graph.capture(numbers.stream, [&] {
        numbers.add();
        numbers.add();
    });
    numbers.fetch();
    CHECK_EQ(numbers.host.data()[7], 7);  // recorded, not run
    graph.launch(numbers.stream);
    numbers.set_amount(10);
    graph.launch(numbers.stream);
    numbers.fetch();
    CHECK_EQ(numbers.host.data()[7], 7 + 2 + 20);
}

TEST(cuda_event_orders_two_streams) {
    Numbers numbers(100);
    numbers.set_amount(3);
    numbers.add();
    Event first, second;
    numbers.stream.record(first);
    Stream other;
    other.wait_for(first);
    other.copy_to_host(numbers.host.data(), numbers.device.data(), numbers.host.bytes());
    other.record(second);
    second.synchronize();
    CHECK_EQ(numbers.host.data()[9], 12);
    CHECK(Event::elapsed_ms(first, second) >= 0.0f);
}

TEST(cuda_memory_that_is_not_there) {
    const DeviceMemory memory = device_memory();
    CHECK(memory.free_bytes <= memory.total_bytes);
    CHECK_THROWS(DeviceBuffer<std::byte>(static_cast<std::size_t>(memory.total_bytes) * 2), out_of_memory);
    CHECK(DeviceBuffer<float>(0).data() == nullptr);
    CHECK(device_facts().major >= 8);
}

#if defined(NEOX_CUDA_EMULATED)

struct NothingArgs {
    std::uint32_t* word;
};
NEOX_KERNEL void lonely_barrier_kernel(NothingArgs) {
    if (thread_id() < 32) sync_block();
}
NEOX_KERNEL void lonely_lane_kernel(NothingArgs) {
    if (lane() > 0) sync_warp();
}
NEOX_KERNEL void forgotten_copy_kernel(NothingArgs args) { cp_async_16(shared_memory(), args.word); }
NEOX_KERNEL void waiting_kernel(NothingArgs) { wait_for_previous_kernel(); }
NEOX_KERNEL void impatient_kernel(NothingArgs) {
    if (thread_id() > 0) wait_for_previous_kernel();
}
NEOX_KERNEL void odd_load_kernel(NothingArgs args) { load_16(args.word + 1); }

TEST(cuda_emulation_sees_broken_rules) {
    const DeviceBuffer<std::uint32_t> words(8);
    const auto run = [&](void (*kernel)(NothingArgs), bool may_overlap = false) {
        Stream stream;
        stream.launch(kernel, {.n_threads = 64, .shared_bytes = 16, .may_overlap = may_overlap},
                      NothingArgs{words.data()});
        stream.synchronize();
    };
    CHECK_THROWS(run(lonely_barrier_kernel), internal);
    CHECK_THROWS(run(lonely_lane_kernel), internal);
    CHECK_THROWS(run(forgotten_copy_kernel), internal);
    CHECK_THROWS(run(odd_load_kernel), internal);
    CHECK_THROWS(run(impatient_kernel, true), internal);
    run(impatient_kernel);
    run(waiting_kernel, true);
    CHECK_THROWS(thread_id(), internal);
}

// Threads of two warps without a barrier between writing and reading: in some order of the warps it shows.
NEOX_KERNEL void missing_barrier_kernel(NothingArgs args) {
    auto* numbers = shared_as<std::uint32_t>();
    numbers[thread_id()] = 1;
    if (numbers[63 - thread_id()] != 1) args.word[0] = 1;
}

TEST(cuda_emulation_shows_a_missing_barrier) {
    const DeviceBuffer<std::uint32_t> words(1);
    PinnedBuffer<std::uint32_t> result(1);
    Stream stream;
    stream.fill_zero(words.data(), 4);
    stream.launch(missing_barrier_kernel, {.n_threads = 64, .shared_bytes = 256}, NothingArgs{words.data()});
    stream.copy_to_host(result.data(), words.data(), 4);
    stream.synchronize();
    CHECK_EQ(result.data()[0], 1);
}

// Lanes of a warp without sync_warp() between writing and reading, from the lane below or the one above: both show in some block.
NEOX_KERNEL void missing_warp_barrier_kernel(NothingArgs args) {
    auto* numbers = shared_as<std::uint32_t>();
    numbers[lane()] = 1;
    if (lane() > 0 && numbers[lane() - 1] != 1) args.word[0] = 1;
    if (lane() < 31 && numbers[lane() + 1] != 1) args.word[1] = 1;
}

TEST(cuda_emulation_shows_a_missing_warp_barrier) {
    const DeviceBuffer<std::uint32_t> words(2);
    PinnedBuffer<std::uint32_t> result(2);
    Stream stream;
    stream.fill_zero(words.data(), 8);
    stream.launch(missing_warp_barrier_kernel, {.x = 16, .n_threads = 32, .shared_bytes = 128},
                  NothingArgs{words.data()});
    stream.copy_to_host(result.data(), words.data(), 8);
    stream.synchronize();
    CHECK_EQ(result.data()[0], 1);
    CHECK_EQ(result.data()[1], 1);
}

TEST(cuda_emulation_has_the_memory_that_it_is_given) {
    emulation::set_memory(1 << 20);
    CHECK_THROWS(DeviceBuffer<std::byte>((1 << 20) + 1), out_of_memory);
    const DeviceBuffer<std::byte> half(1 << 19);
    CHECK_EQ(device_memory().total_bytes, 1 << 20);
    emulation::set_memory(0);
    CHECK(device_memory().free_bytes > std::uint64_t{1} << 30);
}

#endif

}  // namespace
