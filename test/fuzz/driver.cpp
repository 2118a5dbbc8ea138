// Runs a fuzz target without libFuzzer.
//
//   fuzz_<parser> [--seconds N] [--seed N] [--flips N] <file or folder>...
//       cuts, bit flips and edge integers of every file that is named, up to --flips flips and half as many integers,
//       then random mutants of all the files until N seconds of processor time are spent
//   fuzz_<parser> --only <file>...      runs the files as they are
//
// The last line is "<n> inputs, no failure". A failure ends the process after the input was written to the file
// crash-<parser>-<seed>, which --only runs again.
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz.h"
#include "mutate.h"

namespace {

using fuzz::Input;

constexpr int kMostSeconds = 10;  // of processor time for one input
constexpr std::size_t kLargestSeed = std::size_t{64} << 10;

struct Options {
    double seconds = 20;
    std::uint64_t seed = 1;
    std::uint64_t flips = 100'000;
    bool only = false;
    std::vector<std::string> paths;
};

// What the handlers of a failure read.
const Input* current = nullptr;
char crash_path[4096];
std::uint64_t n_inputs = 0;

// Called while the process dies: system calls only.
void save_current() {
    if (!current) return;
    const int file = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0) return;
    if (write(file, current->data(), current->size()) < 0) return;
    close(file);
    static constexpr char kSaved[] = "fuzz: the input is in ";
    if (write(2, kSaved, sizeof kSaved - 1) < 0) return;
    if (write(2, crash_path, std::strlen(crash_path)) < 0) return;
    if (write(2, "\n", 1) < 0) return;
    current = nullptr;
}

void on_signal(int number) {
    if (number == SIGVTALRM) {
        static constexpr char kHang[] = "fuzz: one input takes more than 10 s\n";
        if (write(2, kHang, sizeof kHang - 1) < 0) _exit(1);
    }
    save_current();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void attempt(const Input& input) {
    current = &input;
    const itimerval limit{{0, 0}, {kMostSeconds, 0}};
    setitimer(ITIMER_VIRTUAL, &limit, nullptr);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    current = nullptr;
    ++n_inputs;
}

Input read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    return Input(bytes, bytes + text.size());
}

// The named files first and as given, then those of the folders by name; files beyond 64 KiB are left out.
std::vector<Input> read_seeds(const Options& options, std::size_t& n_named) {
    std::vector<std::string> named, found;
    for (const std::string& path : options.paths) {
        if (!std::filesystem::is_directory(path)) {
            named.push_back(path);
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
            if (entry.is_regular_file() && (options.only || entry.file_size() <= kLargestSeed))
                found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    n_named = named.size();
    named.insert(named.end(), found.begin(), found.end());
    std::vector<Input> seeds;
    for (const std::string& path : named) seeds.push_back(read_file(path));
    return seeds;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void run(const Options& options) {
    std::size_t n_named = 0;
    const std::vector<Input> seeds = read_seeds(options, n_named);
    for (const Input& seed : seeds) attempt(seed);
    if (options.only) return;
    fuzz::Random random(options.seed);
    std::uint64_t n_cut = 0, n_flipped = 0, n_edges = 0, n_random = 0;
    const std::uint64_t share = options.flips / std::max<std::size_t>(n_named, 1);
    for (std::size_t i = 0; i < n_named; ++i) {
        n_cut += fuzz::try_truncations(seeds[i], attempt);
        n_flipped += fuzz::try_bit_flips(seeds[i], share, random, attempt);
        n_edges += fuzz::try_edge_integers(seeds[i], share / 2, attempt);
    }
    while (!seeds.empty() && cpu_seconds() < options.seconds) {
        const Input& one = seeds[random.below(seeds.size())];
        attempt(fuzz::mutate(one, seeds[random.below(seeds.size())], random));
        ++n_random;
    }
    std::printf("seed %llu: %zu files, %llu cuts, %llu bit flips, %llu edge integers, %llu random mutants\n",
                static_cast<unsigned long long>(options.seed), seeds.size(),
                static_cast<unsigned long long>(n_cut), static_cast<unsigned long long>(n_flipped),
                static_cast<unsigned long long>(n_edges), static_cast<unsigned long long>(n_random));
}

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        const bool has_value = i + 1 < argc;
        if (name == "--only") {
            options.only = true;
        } else if (name == "--seconds" && has_value) {
            options.seconds = std::atof(argv[++i]);
        } else if (name == "--seed" && has_value) {
            options.seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (name == "--flips" && has_value) {
            options.flips = std::strtoull(argv[++i], nullptr, 10);
        } else {
            options.paths.push_back(name);
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse_options(argc, argv);
    const std::string parser = std::filesystem::path(argv[0]).filename().string();
    std::snprintf(crash_path, sizeof crash_path, "crash-%s-%llu", parser.c_str(),
                  static_cast<unsigned long long>(options.seed));
    __sanitizer_set_death_callback(save_current);
    for (const int number : {SIGABRT, SIGVTALRM}) std::signal(number, on_signal);
    run(options);
    std::printf("%llu inputs, no failure\n", static_cast<unsigned long long>(n_inputs));
    return n_inputs > 0 ? 0 : 1;
}
