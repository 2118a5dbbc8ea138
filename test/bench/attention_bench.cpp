#include "attention_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/page_buffer.h"
#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "random_blocks.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHeads = 22, kHeadDim = 128, kBlocks = 24, kPromptRows = 64;
// Layers enough to leave the last-level cache: 600 MB of f16.
constexpr int kLayers = 36;

class Cache {
public:
    explicit Cache(KvType kv_type)
        : type(kv_type), tile_bytes_(static_cast<std::size_t>(kv_tile_bytes(kv_type, kHeadDim))),
          memory_(kLayers * kBlocks * 2 * kHeads * tile_bytes_ + kKvSlack, "the KV cache", PageUse::lazy) {
        random_blocks::Random random{7};
        std::vector<float> row(kHeadDim);
        const std::size_t n_tiles = kLayers * kBlocks * 2 * kHeads;
        // One pair of tiles, and copies of it.
        for (const KvSide side : {KvSide::keys, KvSide::values})
            for (int position = 0; position < kKvBlock; ++position) {
                for (float& value : row) value = random.uniform();
                active_kernels().store_kv(type, side, row.data(), kHeadDim,
                                          tile(side == KvSide::values ? kHeads : 0), position);
            }
        for (std::size_t i = 1; i < n_tiles; ++i)
            if (i != kHeads) std::copy_n(tile(i / kHeads % 2 * kHeads), tile_bytes_, tile(i));
    }
    std::byte* tile(std::size_t index) { return memory_.data() + index * tile_bytes_; }
    std::byte* of(int layer, int block, int head, bool is_value) {
        return tile(static_cast<std::size_t>(((layer * kBlocks + block) * 2 + is_value) * kHeads + head));
    }
    double layer_bytes() const { return 2.0 * kBlocks * kHeads * static_cast<double>(tile_bytes_); }

    const KvType type;

private:
    std::size_t tile_bytes_;
    PageBuffer memory_;
};

struct Task {
    Task()
        : scratch(static_cast<std::size_t>(attention_scratch_bytes(kHeadDim))),
          q(kPromptRows * kHeads * kHeadDim, 0.1f), out(q.size()) {}
    void run(Cache& cache, int layer, int head, int n_heads, int n_rows, bool uses_integers) {
        std::vector<const std::byte*> keys, values;
        for (int block = 0; block < kBlocks; ++block) {
            keys.push_back(cache.of(layer, block, head, false));
            values.push_back(cache.of(layer, block, head, true));
        }
        std::vector<std::int64_t> n_positions;
        for (int row = 0; row < n_rows; ++row) n_positions.push_back(kBlocks * kKvBlock - n_rows + 1 + row);
        active_kernels().attention({cache.type, kHeadDim, 1.0f / std::sqrt(static_cast<float>(kHeadDim)),
                                    uses_integers, n_rows, n_heads, n_positions.data(), keys.data(),
                                    values.data(), q.data(), kHeads * kHeadDim, out.data(), kHeads * kHeadDim,
                                    scratch.data()});
    }
    AlignedBuffer<std::byte> scratch;
    std::vector<float> q, out;
};

// The shortest of the runs that fit into the time.
template <class Function> double shortest(double seconds, Function&& function) {
    double best = INFINITY;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do {
        const auto start = Clock::now();
        function();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    } while (Clock::now() < end);
    return best;
}

}  // namespace

void bench_attention(double seconds) {
    ThreadPool pool(default_thread_count());
    const int n_threads = pool.size(), share = (kHeads + n_threads - 1) / n_threads;
    std::vector<Task> tasks(static_cast<std::size_t>(n_threads));
    std::printf("%s, %d threads\n%-5s %14s %8s %22s\n", active_kernels().name, n_threads, "type", "step, us",
                "GB/s", "prompt, Gflop/s");
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
        Cache cache(type);
        const double step = shortest(seconds, [&] {
            for (int layer = 0; layer < kLayers; ++layer)
                pool.parallel_for(static_cast<std::size_t>((kHeads + share - 1) / share),
                                  [&](std::size_t i, int thread) {
                                      const int head = static_cast<int>(i) * share;
                                      tasks[static_cast<std::size_t>(thread)].run(
                                          cache, layer, head, std::min(share, kHeads - head), 1, false);
                                  });
        });
        const double flops = 4.0 * kHeadDim * kPromptRows * (kBlocks * kKvBlock - (kPromptRows - 1) / 2.0);
        const auto prompt = [&](bool uses_integers) {
            return flops /
                   shortest(seconds, [&] { tasks[0].run(cache, 0, 0, 1, kPromptRows, uses_integers); }) *
                   1e-9;
        };
        std::printf("%-5s %14.0f %8.1f %22.1f\n", kKvTypeNames[static_cast<int>(type)], step / kLayers * 1e6,
                    cache.layer_bytes() * kLayers / step * 1e-9, prompt(false));
        if (type == KvType::f16) std::printf("%-5s %14s %8s %22.1f\n", "", "as integers", "", prompt(true));
    }
}
