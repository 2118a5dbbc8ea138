// What rows want of their logits, against what model/head.cpp does with the scalar kernels.
#include "cuda/head.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.h"
#include "cuda/runtime.h"
#include "kernels/dispatch.h"
#include "random_blocks.h"

namespace {

using namespace neox;
using namespace neox::cuda;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A row of logits with what it wants, and what came of it.
struct Case {
    std::vector<float> logits{};
    std::vector<std::int32_t> targets{};
    std::int32_t n_top = 0;
    HeadResult result{};
    std::vector<float> target_logprobs{};
    std::vector<std::int32_t> top_ids{};
    std::vector<float> top_logprobs{};
};

// All rows in one launch, in rows of the logits in falling order, with a row that wants nothing between them.
void run(std::vector<Case>& cases) {
    const std::size_t n_vocab = cases[0].logits.size(), stride = (n_vocab + 31) / 32 * 32,
                      n = cases.size() + 1;
    std::vector<float> logits(stride * cases.size(), kNan);
    std::vector<HeadRow> rows{{-1, 0, 0, 0, 0}};
    std::vector<std::int32_t> targets;
    std::int32_t n_tops = 0, max_top = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::size_t row = cases.size() - 1 - i;
        std::copy(cases[i].logits.begin(), cases[i].logits.end(),
                  logits.begin() + static_cast<std::ptrdiff_t>(row * stride));
        rows.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(targets.size()),
                        static_cast<std::int32_t>(cases[i].targets.size()), n_tops, cases[i].n_top});
        targets.insert(targets.end(), cases[i].targets.begin(), cases[i].targets.end());
        n_tops += cases[i].n_top;
        max_top = std::max(max_top, cases[i].n_top);
    }
    const auto n_top = static_cast<std::size_t>(n_tops);
    Stream stream;
    const DeviceBuffer<float> d_logits(logits.size()), target_logprobs(targets.size()), top_logprobs(n_top);
    const DeviceBuffer<HeadRow> d_rows(n);
    const DeviceBuffer<HeadResult> results(n);
    const DeviceBuffer<std::int32_t> d_targets(targets.size()), top_ids(n_top);
    const DeviceBuffer<std::uint64_t> scratch(n * head_scratch(max_top));
    stream.copy_to_device(d_logits.data(), logits.data(), d_logits.bytes());
    stream.copy_to_device(d_rows.data(), rows.data(), d_rows.bytes());
    stream.copy_to_device(d_targets.data(), targets.data(), d_targets.bytes());
    stream.fill_zero(results.data(), results.bytes());
    launch_head(stream, {.logits = d_logits.data(),
                         .stride = static_cast<std::int64_t>(stride),
                         .n_vocab = static_cast<std::int32_t>(n_vocab),
                         .rows = d_rows.data(),
                         .n = static_cast<std::int32_t>(n),
                         .results = results.data(),
                         .targets = d_targets.data(),
                         .target_logprobs = target_logprobs.data(),
                         .top_ids = top_ids.data(),
                         .top_logprobs = top_logprobs.data(),
                         .max_top = max_top,
                         .scratch = scratch.data()});
    std::vector<HeadResult> got(n);
    std::vector<float> got_targets(targets.size()), got_logprobs(n_top);
    std::vector<std::int32_t> got_ids(n_top);
    stream.copy_to_host(got.data(), results.data(), results.bytes());
    stream.copy_to_host(got_targets.data(), target_logprobs.data(), target_logprobs.bytes());
    stream.copy_to_host(got_logprobs.data(), top_logprobs.data(), top_logprobs.bytes());
    stream.copy_to_host(got_ids.data(), top_ids.data(), top_ids.bytes());
    stream.synchronize();
    CHECK_EQ(got[0].best, 0);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const HeadRow& row = rows[i + 1];
        const auto cut = [](const auto& all, std::int32_t first, std::int32_t count) {
            return std::vector(all.begin() + first, all.begin() + first + count);
        };
        cases[i].result = got[i + 1];
        cases[i].target_logprobs = cut(got_targets, row.first_target, row.n_targets);
        cases[i].top_ids = cut(got_ids, row.first_top, row.n_top);
        cases[i].top_logprobs = cut(got_logprobs, row.first_top, row.n_top);
    }
}

// Both NaN, or as near as the head promises. Infinities are themselves.
void check_logprob(float got, float expected) {
    CHECK_EQ(std::isnan(got), std::isnan(expected));
    if (std::isinf(expected))
        CHECK_EQ(got, expected);
    else if (!std::isnan(expected))
        CHECK_NEAR(got, expected, 0x1p-22 * std::max(1.0, std::fabs(static_cast<double>(expected))));
}

void check_row(const Case& c) {
    const auto n = static_cast<std::int64_t>(c.logits.size());
    const Kernels& kernels = *all_kernels().back();
    std::int32_t best = 0;
    float largest = 0.0f;
    bool has_nan = false;
    kernels.argmax(c.logits.data(), n, &best, &largest, &has_nan);
    CHECK_EQ(c.result.is_nan != 0, has_nan);
    if (has_nan) return;
    CHECK_EQ(c.result.best, best);
    const double normalizer = kernels.log_sum_exp(c.logits.data(), n, largest);
    const auto logprob = [&](std::int32_t id) {
        return static_cast<float>(static_cast<double>(c.logits[static_cast<std::size_t>(id)]) - normalizer);
    };
    for (std::size_t i = 0; i < c.targets.size(); ++i)
        check_logprob(c.target_logprobs[i], logprob(c.targets[i]));
    std::vector<std::int32_t> ids(c.logits.size());
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
    std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
        return c.logits[static_cast<std::size_t>(a)] > c.logits[static_cast<std::size_t>(b)];
    });
    for (std::size_t i = 0; i < c.top_ids.size(); ++i) {
        CHECK_EQ(c.top_ids[i], ids[i]);
        check_logprob(c.top_logprobs[i], logprob(ids[i]));
    }
}

void check(std::vector<Case> cases) {
    run(cases);
    for (const Case& c : cases) check_row(c);
}

std::vector<float> random_logits(std::size_t n, std::uint64_t seed) {
    random_blocks::Random random{seed};
    std::vector<float> logits(n);
    for (float& logit : logits) logit = 4.0f * (random.uniform() + random.uniform() + random.uniform());
    return logits;
}

TEST(cuda_head_gives_what_rows_want) {
    for (const std::size_t n_vocab : {1u, 2u, 31u, 100u, 2048u, 9001u}) {
        const auto last = static_cast<std::int32_t>(n_vocab) - 1;
        check({{.logits = random_logits(n_vocab, 1)},
               {.logits = random_logits(n_vocab, 2), .targets = {0, last, last / 2, last}},
               {.logits = random_logits(n_vocab, 3), .n_top = std::min(last + 1, 40)},
               {.logits = random_logits(n_vocab, 4), .targets = {last}, .n_top = 1}});
    }
}

TEST(cuda_head_sorts_any_number) {
    check(
        {{.logits = random_logits(4500, 5), .n_top = 1000},
         {.logits = random_logits(4500, 6), .targets = {7}, .n_top = 4500},  // more than shared memory takes
         {.logits = random_logits(4500, 7), .n_top = 4097}});
    check({{.logits = random_logits(300, 8), .n_top = 256}, {.logits = random_logits(300, 9), .n_top = 300}});
}

// Few values, of both signs and with both zeros: the smaller id goes first.
TEST(cuda_head_orders_ties_by_id) {
    std::vector<Case> cases;
    for (std::int32_t n_top = 1; n_top < 600; n_top += 97) {
        Case c{.logits = std::vector<float>(700), .n_top = n_top};
        random_blocks::Random random{static_cast<std::uint64_t>(n_top)};
        constexpr float kValues[] = {-1.5f, -0.0f, 0.0f, 1e-40f, -1e-40f, 2.0f, 2.0f};
        for (float& logit : c.logits) logit = kValues[random.next() % 7];
        cases.push_back(c);
    }
    cases.push_back({.logits = std::vector<float>(700, -3.0f), .n_top = 10});
    check(cases);
}

TEST(cuda_head_has_infinities_and_nan) {
    std::vector<float> masked = random_logits(500, 11);
    for (std::size_t i = 0; i < masked.size(); ++i)
        if (i % 3 != 1) masked[i] = -kInfinity;
    std::vector<float> above = masked;
    above[77] = above[401] = kInfinity;
    std::vector<float> broken = masked;
    broken[499] = kNan;
    check({{.logits = masked, .targets = {0, 1}, .n_top = 300},
           {.logits = above, .targets = {77, 1, 0}, .n_top = 4},
           {.logits = std::vector<float>(500, -kInfinity), .targets = {3}, .n_top = 5},
           {.logits = broken, .targets = {3}, .n_top = 5},
           {.logits = std::vector<float>(500, -1e38f), .targets = {3}, .n_top = 2}});
}

// Many small shares beside a large one, which a plain sum in f32 would lose.
TEST(cuda_head_sums_small_shares) {
    std::vector<float> logits(65536, -12.0f);
    logits[5000] = 0.0f;
    std::vector<Case> cases{{.logits = logits, .targets = {5000, 0}}};
    run(cases);
    const double total = std::log1p(65535.0 * std::exp(-12.0));
    CHECK_NEAR(cases[0].target_logprobs[0], -total, 0x1p-23);
    CHECK_NEAR(cases[0].target_logprobs[1], -12.0 - total, 1e-6);
}

}  // namespace
