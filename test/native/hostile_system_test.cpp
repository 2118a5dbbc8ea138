// What the file system itself can do to a reader: files that shrink while they are read, and things in the place of
// files that are none.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#if !defined(_WIN32)
#include <sys/stat.h>
#endif

#include "check.h"
#include "fixtures.h"
#include "model/model.h"
#include "scratch.h"

namespace {

using namespace neox;
namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";

// A checkpoint of one megabyte that may be harmed.
void copy_checkpoint(const scratch::Folder& folder) {
    const fs::path from = golden::fixture("checkpoints/sequential-erf");
    for (const char* name : {"config.json", "generation_config.json", kWeights})
        fs::copy_file(from / name, folder / name, fs::copy_options::overwrite_existing);
}

std::string path_to_cut;
std::atomic<int> n_uploads{0};
int cut_at = 0;
std::uintmax_t cut_to = 0;

// The CPU, on which the file of the weights shrinks before upload number cut_at.
Device cutting_cpu() {
    Device device = cpu_device();
    device.name = "cutting";
    device.upload = [](void* weights, const Upload* slice) {
        if (n_uploads++ == cut_at) fs::resize_file(path_to_cut, cut_to);
        return cpu_device().upload(weights, slice);
    };
    return device;
}

std::string load_code(const std::string& path, const Device& device) {
    LoadOptions options;
    options.n_threads = 2;
    return neox_check::code_thrown_by([&] { load_model(path, device, options); });
}

TEST(a_file_that_shrinks_while_it_is_loaded_is_an_error) {
    const scratch::Folder folder;
    const Device device = cutting_cpu();
    path_to_cut = folder / kWeights;
    int n_refused = 0;
    for (cut_at = 0; cut_at < 30; cut_at += 5) {
        for (const std::uintmax_t size : {0, 8, 100'000}) {
            copy_checkpoint(folder);
            cut_to = size;
            n_uploads = 0;
            const std::string code = load_code(folder.path(), device);
            // What was read before the cut may have been all.
            if (code == "ERR_NEOX_FORMAT_TRUNCATED")
                ++n_refused;
            else
                CHECK_EQ(code, "no error");
        }
    }
    CHECK(n_refused >= 3);
}

TEST(files_that_change_their_length_all_the_time_are_errors_or_whole) {
    const scratch::Folder folder;
    copy_checkpoint(folder);
    const std::string weights = folder / kWeights, config = folder / "config.json";
    const std::uintmax_t whole = fs::file_size(weights), whole_config = fs::file_size(config);
    std::atomic<bool> is_over{false};
    std::thread cutter([&] {
        for (unsigned i = 0; !is_over; ++i) {
            fs::resize_file(weights, whole * (i * 37 % 101) / 100);
            fs::resize_file(config, whole_config * (i * 53 % 103) / 102);
        }
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    std::string wrong;
    int n = 0;
    for (; n < 20 || std::chrono::steady_clock::now() < end; ++n) {
        const std::string code = load_code(folder.path(), cpu_device());
        if (code != "no error" && !code.starts_with("ERR_NEOX_FORMAT_")) wrong = code;
    }
    is_over = true;
    cutter.join();
    CHECK_EQ(wrong, std::string());
}

#if !defined(_WIN32)
TEST(things_that_are_no_files_are_errors_and_never_waited_for) {
    for (const char* name : {"config.json", kWeights, "model.safetensors.index.json", "pytorch_model.bin",
                             "spiece.model", "tokenizer.json", "tokenizer_config.json",
                             "generation_config.json", "special_tokens_map.json", "added_tokens.json"}) {
        const bool is_needed = name == std::string("config.json") || name == std::string(kWeights);
        for (const char* kind : {"fifo", "folder", "/dev/zero", "/dev/tty", "dangling", "loop"}) {
            const scratch::Folder folder;
            copy_checkpoint(folder);
            const std::string path = folder / name, what = kind;
            fs::remove(path);
            if (what == "fifo")
                CHECK_EQ(mkfifo(path.c_str(), 0600), 0);
            else if (what == "folder")
                fs::create_directory(path);
            else
                fs::create_symlink(what == "dangling" ? "nothing" : what == "loop" ? name : kind, path);
            const std::string code = neox_check::code_thrown_by([&] { open_source(folder.path()); });
            const bool is_refusal = code == "ERR_NEOX_IO" || code == "ERR_NEOX_FILE_NOT_FOUND";
            // A file that a checkpoint may lack is as good as absent when it is none.
            if (!is_refusal && (is_needed || code != "no error"))
                neox_check::failed(__FILE__, __LINE__, kind, " as ", name, " gives ", code);
        }
    }
    for (const char* path : {"/dev/zero", "/dev/null", "/dev/full"})
        CHECK_EQ(neox_check::code_thrown_by([&] { open_source(path); }), std::string("ERR_NEOX_IO"));
}
#endif

}  // namespace
