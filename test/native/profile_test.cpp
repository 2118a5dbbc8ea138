// Where the time of passes goes: every operation is counted, once, and only when it was asked for.
#include <atomic>
#include <chrono>
#include <thread>

#include "check.h"
#include "golden.h"

namespace {

using namespace neox;

std::uint64_t total_ns(const PassProfile& profile) {
    std::uint64_t sum = 0;
    for (const OpTime& time : profile.ops) sum += time.ns;
    return sum;
}

void expect_all_operations(const PassProfile& profile) {
    for (int i = 0; i < kOps; ++i) {
        CHECK(profile.ops[i].ns > 0);
        CHECK(profile.ops[i].waited_ns <= profile.ops[i].ns);
    }
}

}  // namespace

TEST(profile_counts_every_operation_of_prompts_and_steps) {
    golden::EngineSetup setup;
    setup.n_threads = 2;
    setup.type = FileType::Q8_0;
    setup.precision = Precision::fast;
    golden::Rig rig(golden::fixture("checkpoints/sequential-erf"), setup);
    const std::vector<Token> prompt{1, 2, 3, 4, 5, 6, 7};
    // Without drafts, which would change the number of steps by what they cost.
    const auto generate = [&] {
        CallRequest request = rig.request(prompt, 5);
        request.n_draft = 0;
        const auto call = rig.run(std::move(request));
        std::vector<Token> ids;
        for (const auto& token : rig.engine->drain(*call).tokens) ids.push_back(token.id);
        return ids;
    };
    const std::vector<Token> plain = generate();
    CHECK(total_ns(rig.engine->end_profile().step) == 0);

    rig.engine->start_profile();
    const auto begin = std::chrono::steady_clock::now();
    CHECK(generate() == plain);
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin);
    const Profile profile = rig.engine->end_profile();
    CHECK(profile.prompt.n_passes == 1 && profile.prompt.n_rows == 7);
    CHECK(profile.step.n_passes == 4 && profile.step.n_rows == 4);
    expect_all_operations(profile.prompt);
    expect_all_operations(profile.step);
    // Nothing is counted twice: the sum is no more than the time that passed.
    CHECK(total_ns(profile.prompt) + total_ns(profile.step) <= static_cast<std::uint64_t>(elapsed.count()));

    generate();
    CHECK(rig.engine->end_profile().step.n_passes == 0);
}

TEST(profile_of_a_pool_counts_the_waits_of_its_caller) {
    ThreadPool pool(2);
    std::uint64_t waited = 0;
    pool.measure_waits(&waited);
    std::atomic<int> n_started{0};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    pool.parallel_for(2, [&](std::size_t, int thread) {
        // Neither thread can take both tasks.
        n_started.fetch_add(1);
        while (n_started.load() < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        if (thread != 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    });
    CHECK(waited >= 10'000'000);
    const std::uint64_t before = waited;
    pool.measure_waits(nullptr);
    pool.parallel_for(2, [](std::size_t, int) {});
    CHECK(waited == before);
}
