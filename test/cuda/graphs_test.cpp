// Which passes are launched directly, recorded, or launched from what was recorded, and what they do each time.
#include "cuda/graphs.h"

#include "check.h"

namespace {

using namespace neox;
using namespace neox::cuda;

// A pass that copies one number; how often it was asked for, and what came of it.
struct Passes {
    Passes() : from(1), to(1), host(1) {}
    // Launches the pass of a key over `value`, and returns what it left.
    std::uint32_t run(std::int32_t key, std::uint32_t value) {
        host.data()[0] = value;
        stream.copy_to_device(from.data(), host.data(), host.bytes());
        stream.fill_zero(to.data(), to.bytes());
        cache.launch(stream, {key}, [&] {
            ++n_asked;
            stream.copy_on_device(to.data(), from.data(), to.bytes());
        });
        stream.copy_to_host(host.data(), to.data(), host.bytes());
        stream.synchronize();
        return host.data()[0];
    }

    Stream stream;
    DeviceBuffer<std::uint32_t> from, to;
    PinnedBuffer<std::uint32_t> host;
    GraphCache cache;
    int n_asked = 0;
};

}  // namespace

TEST(graphs_record_a_key_at_its_second_use_and_replay_it_from_then_on) {
    Passes passes;
    for (std::uint32_t use = 1; use <= 5; ++use) {
        CHECK_EQ(passes.run(7, 100 + use), 100 + use);
        CHECK_EQ(passes.n_asked, use < 2 ? 1 : 2);
        CHECK_EQ(passes.cache.n_recorded(), use < 2 ? 0u : 1u);
        CHECK_EQ(passes.cache.n_replayed(), use < 3 ? 0u : use - 2);
    }
    CHECK_EQ(passes.run(8, 3), 3u);
    CHECK_EQ(passes.n_asked, 3);
    CHECK_EQ(passes.cache.size(), 2u);
}

TEST(graphs_of_keys_that_were_used_longest_ago_go) {
    Passes passes;
    constexpr auto kMost = static_cast<std::int32_t>(GraphCache::kMost);
    for (std::int32_t use = 0; use < 2; ++use)
        for (std::int32_t key = 0; key < kMost; ++key) CHECK_EQ(passes.run(key, 5), 5u);
    CHECK_EQ(passes.cache.n_recorded(), static_cast<std::uint64_t>(kMost));
    // 0 is used again, so 1 has to go.
    CHECK_EQ(passes.run(0, 6), 6u);
    CHECK_EQ(passes.run(kMost, 7), 7u);
    CHECK_EQ(passes.cache.size(), GraphCache::kMost);
    const int n_asked = passes.n_asked;
    CHECK_EQ(passes.run(0, 8), 8u);
    CHECK_EQ(passes.run(2, 9), 9u);
    CHECK_EQ(passes.n_asked, n_asked);
    CHECK_EQ(passes.run(1, 10), 10u);
    CHECK_EQ(passes.n_asked, n_asked + 1);
    CHECK_EQ(passes.cache.size(), GraphCache::kMost);
}

TEST(graphs_keep_nothing_of_a_pass_that_fails) {
    Passes passes;
    const auto failing = [] { fail(ErrorCode::backend, "A launch"); };
    CHECK_THROWS(passes.cache.launch(passes.stream, {1}, failing), backend);
    CHECK_EQ(passes.cache.size(), 0u);
    CHECK_EQ(passes.run(1, 4), 4u);
    CHECK_THROWS(passes.cache.launch(passes.stream, {1}, failing), backend);
    CHECK_EQ(passes.run(1, 5), 5u);
    CHECK_EQ(passes.run(1, 6), 6u);
    CHECK_EQ(passes.cache.n_recorded(), 1u);
    CHECK_EQ(passes.cache.n_replayed(), 1u);
}
