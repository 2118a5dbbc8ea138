// What a job leaves behind when it does not come to its end: nothing, and the file that was there before.
#include <atomic>
#include <cstring>
#if !defined(_WIN32)
#include <csignal>
#include <sys/resource.h>
#endif

#include "check.h"
#include "golden.h"
#include "jobs/convert.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"
#include "scratch.h"

namespace {

using namespace neox;

constexpr std::uint64_t kMostBytes = 1 << 26;

void make_source(const std::string& path) {
    SynthOptions options;
    options.shape = "tiny";
    options.output = path;
    options.type = FileType::F16;
    synth(options);
}

QuantizeOptions quantize_to(const std::string& source, const std::string& output) {
    QuantizeOptions options;
    options.source = source;
    options.output = output;
    options.types.type = FileType::Q4_K_M;
    return options;
}

TEST(quantize_cancelled_in_the_middle_leaves_its_source_alone) {
    const scratch::Folder folder;
    make_source(folder / "m.gguf");
    const std::vector<std::byte> before = read_file(folder / "m.gguf", kMostBytes);
    std::atomic<bool> cancel{false};
    JobControl control;
    control.cancel = &cancel;
    std::uint64_t last = 0;
    control.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        last = done;
        cancel = done > total / 4;
    };
    CHECK_THROWS(quantize(quantize_to(folder / "m.gguf", folder / "m.gguf"), control), cancelled);
    CHECK(last > 0);
    CHECK_EQ(folder.n_entries(), 1);
    CHECK(read_file(folder / "m.gguf", kMostBytes) == before);
}

TEST(quantize_refuses_to_quantize_twice_unless_told_to) {
    const scratch::Folder folder;
    make_source(folder / "m.gguf");
    quantize(quantize_to(folder / "m.gguf", folder / "q.gguf"));
    QuantizeOptions again = quantize_to(folder / "q.gguf", folder / "r.gguf");
    again.types.type = FileType::Q8_0;
    CHECK_THROWS(quantize(again), invalid_argument);
    CHECK_EQ(folder.n_entries(), 2);
    again.dry_run = true;
    again.allow_requantize = true;
    const WrittenFile planned = quantize(again);
    CHECK_EQ(folder.n_entries(), 2);
    again.dry_run = false;
    const WrittenFile written = quantize(again);
    CHECK_EQ(written.n_bytes, planned.n_bytes);
    CHECK_EQ(written.requantized.size(), 10);  // two layers of four matrices, embedding and head
    CHECK(written.requantized == planned.requantized);
    // Floats are no second rounding, and the same type is none at all.
    again = quantize_to(folder / "q.gguf", folder / "f.gguf");
    again.types.type = FileType::F32;
    CHECK(quantize(again).requantized.empty());
    again.types.type = FileType::Q4_K_M;
    CHECK(quantize(again).requantized.empty());
    CHECK(read_file(folder / "q.gguf", kMostBytes) == read_file(folder / "f.gguf", kMostBytes));
}

#if !defined(_WIN32)
// Files of this process may grow no further than this while it lives: as a full disk, but without one.
class SmallDisk {
public:
    explicit SmallDisk(rlim_t n_bytes) : before_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &limit_);
        const struct rlimit small { n_bytes, limit_.rlim_max };
        CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() {
        setrlimit(RLIMIT_FSIZE, &limit_);
        std::signal(SIGXFSZ, before_);
    }

private:
    void (*before_)(int);
    struct rlimit limit_ {};
};

TEST(a_full_disk_leaves_what_was_there) {
    const scratch::Folder folder;
    make_source(folder / "m.gguf");
    scratch::write(folder / "o.gguf", "what was there");
    const std::vector<std::byte> before = read_file(folder / "o.gguf", kMostBytes);
    ConvertOptions from_folder;
    from_folder.source = golden::fixture("checkpoints/sequential-erf");
    from_folder.output = folder / "o.gguf";
    SynthOptions random;
    random.shape = "tiny";
    random.output = folder / "o.gguf";
    // The header does not fit, then the tensors.
    for (const rlim_t n_bytes : {100, 100000}) {
        const SmallDisk disk(n_bytes);
        CHECK_THROWS(quantize(quantize_to(folder / "m.gguf", folder / "o.gguf")), io);
        CHECK_THROWS(convert(from_folder), io);
        CHECK_THROWS(synth(random), io);
    }
    CHECK_EQ(folder.n_entries(), 2);
    CHECK(read_file(folder / "o.gguf", kMostBytes) == before);
    synth(random);
    CHECK(read_file(folder / "o.gguf", kMostBytes) != before);
}
#endif

}  // namespace
