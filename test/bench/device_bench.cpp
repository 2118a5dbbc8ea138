#include "device_bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "device_passes.h"
#include "model/device_library.h"
#include "random_model.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
    std::string device, library, shape = "3.6b", type = "Q8_0";
    std::vector<int> prompts{512, 2048}, batches{1, 2, 4, 8, 16};
    int depth = 0, max_rows = 2048, n_layer = 0;
    double seconds = 2;
    KvType kv_type = KvType::f16;
    Precision precision = Precision::fast;
    bool deterministic = false;
};

constexpr const char* kPrecisionNames[] = {"exact", "high", "fast"};

int number(std::string_view name, const std::string& value, int least) {
    char* end = nullptr;
    const long n = std::strtol(value.c_str(), &end, 10);
    if (value.empty() || *end != 0 || n < least || n > 1 << 20)
        fail(ErrorCode::invalid_argument, name, " takes whole numbers from ", least, " on, not '", value,
             "'.");
    return static_cast<int>(n);
}

std::vector<int> numbers(std::string_view name, const std::string& list) {
    std::vector<int> all;
    for (std::size_t begin = 0, end = 0; begin <= list.size(); begin = end + 1) {
        end = std::min(list.find(',', begin), list.size());
        all.push_back(number(name, list.substr(begin, end - begin), 1));
    }
    return all;
}

template <std::size_t n>
int choice(std::string_view name, const std::string& value, const char* const (&names)[n]) {
    for (std::size_t i = 0; i < n; ++i)
        if (value == names[i]) return static_cast<int>(i);
    fail(ErrorCode::invalid_argument, name, " does not know '", value, "'.");
}

Arguments parse(int argc, char** argv) {
    Arguments a;
    for (int i = 0; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--deterministic") {
            a.deterministic = true;
            continue;
        }
        if (i + 1 == argc) fail(ErrorCode::invalid_argument, "'", name, "' needs a value.");
        const std::string value = argv[++i];
        if (name == "--device")
            a.device = value;
        else if (name == "--library")
            a.library = value;
        else if (name == "--synth")
            a.shape = value;
        else if (name == "--type")
            a.type = value;
        else if (name == "--prompt")
            a.prompts = numbers(name, value);
        else if (name == "--batch")
            a.batches = numbers(name, value);
        else if (name == "--depth")
            a.depth = number(name, value, 0);
        else if (name == "--rows")
            a.max_rows = number(name, value, 1);
        else if (name == "--layers")
            a.n_layer = number(name, value, 0);
        else if (name == "--seconds")
            a.seconds = std::clamp(std::atof(value.c_str()), 0.01, 60.0);
        else if (name == "--kv")
            a.kv_type = static_cast<KvType>(choice(name, value, kKvTypeNames));
        else if (name == "--precision")
            a.precision = static_cast<Precision>(choice(name, value, kPrecisionNames));
        else
            fail(ErrorCode::invalid_argument, "There is no option '", name,
                 "'; test/bench/device_bench.h has them.");
    }
    if (a.device != "cuda" && a.device != "cpu")
        fail(ErrorCode::invalid_argument, "--device takes cuda or cpu, not '", a.device, "'.");
    return a;
}

// Median seconds of run(); at least three runs after one that does not count.
double median_seconds(double seconds, const std::function<void()>& run) {
    run();
    std::vector<double> times;
    const Clock::time_point start = Clock::now();
    do {
        const Clock::time_point begin = Clock::now();
        run();
        times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    } while (times.size() < 3 || std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

void print_profile(const char* title, const PassProfile& profile) {
    double sum = 0;
    for (const OpTime& op : profile.ops) sum += static_cast<double>(op.ns);
    const double n = static_cast<double>(std::max<std::uint64_t>(profile.n_passes, 1));
    std::printf("%s, by operation, %.1f us a pass, measured one after another:\n", title, 1e-3 * sum / n);
    for (int i = 0; i < kOps; ++i)
        if (profile.ops[i].ns > 0)
            std::printf("  %-10s %10.1f us  %5.1f %%\n", kOpNames[i],
                        1e-3 * static_cast<double>(profile.ops[i].ns) / n,
                        100 * static_cast<double>(profile.ops[i].ns) / sum);
}

// A step of a model of the same depth whose matrices are of 32 columns.
double empty_step_seconds(const Device& device, const Arguments& a, const BackendOptions& options,
                          std::int32_t n_layer) {
    Config config;
    config.n_layer = n_layer;
    config.n_embd = config.n_ff = 32;
    config.n_head = 1;
    config.n_rot = 32;
    config.n_vocab = 64;
    config.n_ctx_train = options.n_ctx;
    const bench::RandomSource source(config, FileType::Q8_0);
    const bench::DeviceWeights weights(device, source, 1);
    BackendOptions small = options;
    small.n_kv_blocks = 2;
    small.n_ctx = kKvBlock;
    small.max_rows = 16;
    bench::Passes passes(device, weights.handle(), source.config(), small);
    return median_seconds(a.seconds / 4, [&] { passes.step(1, 0); });
}

void measure(const Device& device, const Arguments& a) {
    const std::optional<FileType> type = file_type_from_name(a.type);
    if (!type) fail(ErrorCode::invalid_argument, "There is no type '", a.type, "'.");
    const int n_threads = default_thread_count();
    const bench::RandomSource source(a.shape, *type, a.n_layer);
    const Config& config = source.config();
    const bench::DeviceWeights weights(device, source, n_threads);
    const double file_gb = 1e-9 * static_cast<double>(weights.file_bytes());
    std::printf(
        "%s %s, %d layers: %.2f GB in the file, %.2f GB on the device, upload from %d threads %.2f GB/s\n",
        a.shape.c_str(), a.type.c_str(), config.n_layer, file_gb,
        1e-9 * static_cast<double>(device.weights_bytes(weights.handle())), n_threads,
        file_gb / weights.upload_seconds());

    BackendOptions options{};
    options.precision = a.precision;
    options.kv_type = a.kv_type;
    options.n_threads = n_threads;
    options.deterministic = a.deterministic ? 1 : 0;
    const int longest = *std::max_element(a.prompts.begin(), a.prompts.end()),
              most = *std::max_element(a.batches.begin(), a.batches.end());
    options.n_ctx = std::max(longest, a.depth + 1);
    options.max_rows = std::max(std::min(a.max_rows, longest), most);
    options.n_kv_blocks = std::max(
        {bench::Passes::n_blocks(1, longest), bench::Passes::n_blocks(most, a.depth + 1), std::int32_t{16}});
    bench::Passes passes(device, weights.handle(), config, options);
    const bench::Passes::Copies copies = passes.copy_blocks(256);
    const double copy_gb_per_s = 1e-9 * copies.n_bytes / copies.seconds;
    std::printf("precision %s, KV %s, rows of a pass %d%s; copies inside the device's memory %.1f GB/s read "
                "and written\n\n",
                kPrecisionNames[static_cast<int>(a.precision)], kKvTypeNames[static_cast<int>(a.kv_type)],
                options.max_rows, a.deterministic ? ", deterministic" : "", copy_gb_per_s);

    for (const int n : a.prompts) {
        const double seconds = median_seconds(a.seconds, [&] { passes.prompt(n); });
        std::printf("prompt %5d              %10.0f t/s  %10.1f us\n", n, n / seconds, 1e6 * seconds);
    }
    for (const int n : a.batches) {
        const double seconds = median_seconds(a.seconds, [&] { passes.step(n, a.depth); });
        const double bytes =
            static_cast<double>(weights.read_bytes()) + n * (a.depth + 1) * passes.position_bytes();
        std::printf("step of %3d at %5d     %10.1f t/s  %10.1f us  %8.1f GB/s = %5.1f %% of the copies'\n", n,
                    a.depth, n / seconds, 1e6 * seconds, 1e-9 * bytes / seconds,
                    100e-9 * bytes / seconds / copy_gb_per_s);
    }
    std::printf("\n");
    PassProfile prompt, step;
    passes.prompt(longest, &prompt);
    for (int i = 0; i < 8; ++i) passes.step(1, a.depth, &step);
    print_profile("prompt", prompt);
    print_profile("step of 1", step);
    std::printf("a step of %d layers of 32 columns: %.1f us of launches, gaps and waiting for the result\n",
                config.n_layer, 1e6 * empty_step_seconds(device, a, options, config.n_layer));
}

// Without a path: where the build puts it, beside this program.
const Device& open_library(const std::string& path, const char* program) {
#if defined(_WIN32)
    constexpr const char* kName = "neox_cuda.dll";
#else
    constexpr const char* kName = "libneox_cuda.so";
#endif
    const std::filesystem::path file =
        path.empty() ? std::filesystem::path(program).parent_path() / kName : std::filesystem::path(path);
    return open_device_library(std::filesystem::absolute(file).string(), NEOX_VERSION);
}

}  // namespace

int bench_device(int argc, char** argv) {
    const Arguments arguments = parse(argc - 1, argv + 1);
    const Device& device =
        arguments.device == "cpu" ? cpu_device() : open_library(arguments.library, argv[0]);
    const DeviceProbe probe = probe_device(device);
    if (!probe.is_usable) {
        std::printf("It cannot be used: %s\n", probe.reason);
        return 1;
    }
    std::printf("%s: %s (%s), %.1f of %.1f GB free\n", device.name, probe.name, probe.driver,
                1e-9 * static_cast<double>(probe.free_bytes), 1e-9 * static_cast<double>(probe.total_bytes));
    measure(device, arguments);
    return 0;
}
