#include "load_bench.h"

#include <algorithm>
#include <atomic>
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
#include "model/load_plan.h"
#include "model/model.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPiece = std::size_t{1} << 20;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Reads every file from the beginning in pieces of 1 MiB.
double read_seconds(const std::vector<SourceFile>& files, int n_threads) {
    ThreadPool pool(n_threads);
    std::vector<AlignedBuffer<std::byte>> pieces(static_cast<std::size_t>(n_threads));
    for (AlignedBuffer<std::byte>& piece : pieces) {
        piece.reset(kPiece);
        std::fill_n(piece.data(), kPiece, std::byte{1});
    }
    const Clock::time_point start = Clock::now();
    for (const SourceFile& named : files) {
        const File file(named.path);
        const std::size_t n_pieces = static_cast<std::size_t>((file.size() + kPiece - 1) / kPiece);
        pool.parallel_for(n_pieces, [&](std::size_t index, int thread) {
            const std::uint64_t at = index * kPiece;
            file.read_at(at, std::span(pieces[static_cast<std::size_t>(thread)].data(),
                                       std::min<std::uint64_t>(kPiece, file.size() - at)));
        });
    }
    return since(start);
}

// Takes, touches and frees as much memory as loading will need. It also makes rounds alike: where a host takes idle memory back
// from a virtual machine, whoever touches it first waits for the host, up to 30 times as long as for the page itself.
double touch_seconds(std::uint64_t n_bytes, int n_threads) {
    ThreadPool pool(n_threads);
    PageBuffer memory(n_bytes + n_bytes / 20, "what is touched");
    const Clock::time_point start = Clock::now();
    pool.parallel_for((memory.size() + kHugePage - 1) / kHugePage, [&](std::size_t page, int) {
        const std::size_t end = std::min((page + 1) * kHugePage, memory.size());
        for (std::size_t at = page * kHugePage; at < end; at += 4096) memory.data()[at] = std::byte{1};
    });
    return since(start);
}

std::atomic<std::uint64_t> upload_ns{0};

// The CPU, which counts the time of its threads that goes into laying out.
Device counting_cpu() {
    Device device = cpu_device();
    device.upload = [](void* weights, const Upload* slice) {
        const Clock::time_point start = Clock::now();
        const Status status = cpu_device().upload(weights, slice);
        upload_ns += static_cast<std::uint64_t>(1e9 * since(start));
        return status;
    };
    return device;
}

struct Seconds {
    double load = 0;         // to the weights
    double laying_out = 0;   // of that, on average over the threads
    double backend = 0;      // to room for a prompt
    double first_token = 0;  // to the logits of one token
    double again = 0;        // the same token once more, beside the way to the first
    double all() const { return load + backend + first_token; }
};

double token_seconds(const Backend& backend, std::int32_t n_layer) {
    const Clock::time_point start = Clock::now();
    const std::int32_t block = 0;
    const SequenceView sequence{&block, 1, nullptr};
    Row row{};
    row.rope_length = 1;
    row.phase = RowPhase::prompt;
    std::int32_t argmax = -1;
    row.argmax = &argmax;
    const Batch batch{&row, 1, &sequence, 1};
    check(backend.forward(backend.self, &batch, 0, n_layer, nullptr));
    return since(start);
}

Seconds load_seconds(const std::string& path, const Device& device, int n_threads) {
    Seconds seconds;
    upload_ns = 0;
    Clock::time_point start = Clock::now();
    LoadOptions load;
    load.n_threads = n_threads;
    const std::shared_ptr<const Model> model = load_model(path, device, load);
    seconds.load = since(start);
    seconds.laying_out = 1e-9 * static_cast<double>(upload_ns) / n_threads;
    start = Clock::now();
    BackendOptions options{};
    options.precision = default_precision(model->dtype);
    options.kv_type = options.precision == Precision::exact ? KvType::f32 : KvType::f16;
    options.n_threads = n_threads;
    options.n_ctx = 2048;
    options.n_kv_blocks = 32;
    options.max_rows = 512;
    Backend backend{};
    check(device.create_backend(model->weights->handle(), &options, &backend));
    seconds.backend = since(start);
    const struct End {
        const Backend& backend;
        ~End() { backend.destroy(backend.self); }
    } end{backend};
    seconds.first_token = token_seconds(backend, model->config().n_layer);
    seconds.again = token_seconds(backend, model->config().n_layer);
    return seconds;
}

}  // namespace

void bench_load(const std::string& path, int n_rounds) {
    const int n_threads = default_thread_count();
    const Device device = counting_cpu();
    std::vector<SourceFile> files = open_source(path)->files();
    std::uint64_t n_bytes = 0;
    for (const SourceFile& file : files) n_bytes += file.n_bytes;
    read_seconds(files, 1);  // into the page cache
    double best_read = 1e9, best_read_all = 1e9, best_touch = 1e9;
    Seconds best;
    best.load = 1e9;
    std::printf("%.3f GB, %d threads\n", static_cast<double>(n_bytes) / 1e9, n_threads);
    for (int round = 0; round < n_rounds; ++round) {
        best_touch = std::min(best_touch, touch_seconds(n_bytes, n_threads));
        best_read_all = std::min(best_read_all, read_seconds(files, n_threads));
        const double read = read_seconds(files, 1);
        const Seconds seconds = load_seconds(path, device, n_threads);
        std::printf("read %.3f s; load %.3f s, room %.3f s, first token %.3f s, again %.3f s: %.2f x\n", read,
                    seconds.load, seconds.backend, seconds.first_token, seconds.again, seconds.all() / read);
        best_read = std::min(best_read, read);
        if (seconds.all() < best.all()) best = seconds;
    }
    const auto share = [&](const char* what, double part) {
        std::printf("  %-44s %.3f s  %5.1f GB/s  %.2f x\n", what, part,
                    static_cast<double>(n_bytes) / part / 1e9, part / best_read);
    };
    std::printf("the best round, and the best of what stands alone:\n");
    share("one thread reads the file", best_read);
    share("to the first token", best.all());
    share("of it everything but laying out", best.load - best.laying_out);
    share("of it laying out into untouched memory", best.laying_out);
    share("of it the token", best.first_token);
    share("the token again", best.again);
    share("all threads read, nothing else", best_read_all);
    share("all threads touch memory, nothing else", best_touch);
}
