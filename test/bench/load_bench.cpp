#include "load_bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/file.h"
#include "base/page_buffer.h"
#include "base/thread_pool.h"
#include "model/backend.h"
#include "model/batch.h"
#include "model/model.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One thread reads every file from the beginning in pieces of 1 MiB.
double read_seconds(const std::vector<SourceFile>& files) {
    AlignedBuffer<std::byte> piece(std::size_t{1} << 20);
    const Clock::time_point start = Clock::now();
    for (const SourceFile& named : files) {
        const File file(named.path);
        for (std::uint64_t at = 0; at < file.size(); at += piece.size())
            file.read_at(at,
                         std::span(piece.data(), std::min<std::uint64_t>(piece.size(), file.size() - at)));
    }
    return since(start);
}

// Takes and frees as much memory as loading will need: where a host takes idle memory back from a virtual machine, whoever
// touches it first waits for the host, up to 30 times as long as for the page itself.
void touch(std::uint64_t n_bytes) {
    PageBuffer memory(n_bytes + n_bytes / 20, "what is touched");
    for (std::size_t at = 0; at < memory.size(); at += 4096) memory.data()[at] = std::byte{1};
}

struct Seconds {
    double load, first_token;  // to the loaded weights; from there to the logits of one token
    double all() const { return load + first_token; }
};

Seconds load_seconds(const std::string& path) {
    const Clock::time_point start = Clock::now();
    const std::shared_ptr<const Model> model = load_model(path, cpu_device(), {});
    Seconds seconds{since(start), 0};
    const Clock::time_point loaded = Clock::now();
    BackendOptions options{};
    options.precision = default_precision(model->dtype);
    options.kv_type = options.precision == Precision::exact ? KvType::f32 : KvType::f16;
    options.n_threads = default_thread_count();
    options.n_ctx = 2048;
    options.n_kv_blocks = 32;
    options.max_rows = 512;
    Backend backend{};
    check(cpu_device().create_backend(model->weights->handle(), &options, &backend));
    const std::int32_t block = 0;
    const SequenceView sequence{&block, 1, nullptr};
    Row row{};
    row.rope_length = 1;
    row.phase = RowPhase::prompt;
    std::int32_t argmax = -1;
    row.argmax = &argmax;
    const Batch batch{&row, 1, &sequence, 1};
    const Status status = backend.forward(backend.self, &batch, 0, model->config().n_layer, nullptr);
    backend.destroy(backend.self);
    check(status);
    seconds.first_token = since(loaded);
    return seconds;
}

}  // namespace

void bench_load(const std::string& path, int n_rounds) {
    std::vector<SourceFile> files = open_source(path)->files();
    std::uint64_t n_bytes = 0;
    for (const SourceFile& file : files) n_bytes += file.n_bytes;
    read_seconds(files);  // into the page cache
    double best_read = 1e9;
    Seconds best{1e9, 0};
    std::printf("%.3f GB, %d threads\n", static_cast<double>(n_bytes) / 1e9, default_thread_count());
    for (int round = 0; round < n_rounds; ++round) {
        touch(n_bytes);
        const double read = read_seconds(files);
        const Seconds seconds = load_seconds(path);
        std::printf("read %.3f s = %.1f GB/s; load %.3f s, first token %.3f s: %.2f x\n", read,
                    static_cast<double>(n_bytes) / read / 1e9, seconds.load, seconds.first_token,
                    seconds.all() / read);
        best_read = std::min(best_read, read);
        if (seconds.all() < best.all()) best = seconds;
    }
    std::printf("best: read %.3f s; to the first token %.3f s (load %.3f s): %.2f x\n", best_read, best.all(),
                best.load, best.all() / best_read);
}
