// Files of torch.save: equal to safetensors of the same tensors, refused wherever they are cut, and never
// more than an error when a byte changes.
#include "checkpoint/torch.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "check.h"
#include "checkpoint/safetensors.h"
#include "fixtures.h"
#include "scratch.h"

namespace {

using namespace neox;

using golden::fixture;

std::vector<std::byte> bytes_of(const std::string& name) {
    return read_file(fixture(name), std::uint64_t{1} << 20);
}

std::vector<std::byte> data_of(const File& file, const StoredTensor& tensor) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.n_bytes));
    file.read_at(tensor.offset, bytes);
    return bytes;
}

// Every tensor of the torch file is in the safetensors file with the same type, shape and bytes, and none is
// left over. The elements of those whose names begin with "view." do not lie one after the other, so their
// bytes are not compared.
void compare(const std::string& torch_path, const std::string& safetensors_path) {
    const File ours(torch_path), theirs(safetensors_path);
    std::map<std::string, SafetensorsTensor> expected;
    for (const SafetensorsTensor& tensor : read_safetensors(theirs)) expected.emplace(tensor.name, tensor);
    const std::vector<StoredTensor> tensors = read_torch(ours);
    // safetensors drops the second name of a tied head.
    const bool is_tied = tensors.size() == expected.size() + 1 && !expected.contains("embed_out.weight");
    CHECK_EQ(tensors.size(), expected.size() + (is_tied ? 1 : 0));
    for (const StoredTensor& tensor : tensors) {
        const bool is_second_name = is_tied && tensor.name == "embed_out.weight";
        const auto found = expected.find(is_second_name ? "gpt_neox.embed_in.weight" : tensor.name);
        CHECK(found != expected.end());
        CHECK_EQ(tensor.dtype_name, found->second.dtype_name);
        CHECK(tensor.dtype == found->second.dtype);
        CHECK(tensor.shape == found->second.shape);
        CHECK_EQ(tensor.n_bytes, found->second.n_bytes);
        if (tensor.is_contiguous) CHECK(data_of(ours, tensor) == data_of(theirs, found->second));
    }
}

void check_views(const std::string& torch_path) {
    for (const StoredTensor& tensor : read_torch(File(torch_path)))
        CHECK_EQ(tensor.is_contiguous, !tensor.name.starts_with("view."));
}

TEST(torch_files_equal_their_safetensors) {
    for (const char* form : {"zip", "legacy"})
        compare(fixture(std::string("torch/") + form + "/pytorch_model.bin"),
                fixture("torch/safetensors/model.safetensors"));
    for (const char* name : {"dtypes", "parameters", "views", "wrapped"})
        for (const char* form : {".bin", "-legacy.bin"}) {
            const std::string path = fixture(std::string("torch/") + name);
            compare(path + form, path + ".safetensors");
            check_views(path + form);
        }
}

// NEOX_TORCH_PAIRS names a directory of test/python/torch_pairs.py: files that torch wrote, and damaged copies,
// each beside what torch reads in it. A damaged copy is refused here, or read as torch reads it.
TEST(torch_pairs_are_read_alike) {
    const char* folder = std::getenv("NEOX_TORCH_PAIRS");
    std::size_t n_whole = 0, n_damaged = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder ? folder : fixture("torch"))) {
        const std::string path = entry.path().string();
        if (!path.ends_with(".bin") || path.ends_with("-legacy.bin")) continue;
        const std::string expected = path.substr(0, path.size() - 4) + ".safetensors";
        if (!path.ends_with(".mutant.bin")) {
            compare(path, expected);
            check_views(path);
            ++n_whole;
            continue;
        }
        try {
            read_torch(File(path));
        } catch (const Error&) {
            continue;
        }
        if (!is_regular_file(expected)) neox_check::failed(__FILE__, __LINE__, path, " is refused by torch");
        compare(path, expected);
        ++n_damaged;
    }
    CHECK(n_whole > 0);
    CHECK(!folder || n_damaged > 0);
}

TEST(torch_checkpoints_of_the_family_equal_their_safetensors) {
    std::size_t n = 0;
    for (const auto& entry : std::filesystem::directory_iterator(fixture("checkpoints"))) {
        const std::string name = "checkpoints/" + entry.path().filename().string();
        if (!is_regular_file(fixture(name + "/containers/pytorch_model.bin")) ||
            !is_regular_file(fixture(name + "/model.safetensors")))
            continue;
        compare(fixture(name + "/containers/pytorch_model.bin"), fixture(name + "/model.safetensors"));
        ++n;
    }
    CHECK(n >= 5);
}

TEST(a_tied_head_shares_the_storage_of_the_embedding) {
    const auto tied = read_torch(File(fixture("torch/tied/pytorch_model.bin")));
    CHECK_EQ(tied.front().name, "gpt_neox.embed_in.weight");
    CHECK_EQ(tied.back().name, "embed_out.weight");
    CHECK_EQ(tied.front().offset, tied.back().offset);
}

TEST(torch_files_truncated_anywhere_are_refused) {
    for (const char* name : {"torch/zip/pytorch_model.bin", "torch/legacy/pytorch_model.bin",
                             "torch/views.bin", "torch/wrapped-legacy.bin"}) {
        const std::vector<std::byte> bytes = bytes_of(name);
        CHECK_EQ(parse_torch(MemoryBytes(bytes)).empty(), false);
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            const std::vector<std::byte> part = scratch::prefix(bytes, n);
            CHECK_THROWS(parse_torch(MemoryBytes(part)), format_truncated);
        }
    }
}

TEST(torch_files_with_something_appended_are_refused) {
    std::vector<std::byte> bytes = bytes_of("torch/wrapped.bin");
    bytes.push_back(std::byte{0});
    CHECK_THROWS(parse_torch(MemoryBytes(bytes)), format_truncated);
    bytes = bytes_of("torch/wrapped-legacy.bin");
    bytes.push_back(std::byte{0});
    CHECK_THROWS(parse_torch(MemoryBytes(bytes)), format_offset);
}

// Whatever is accepted lies within the file.
TEST(torch_files_with_changed_bytes_are_refused_or_sound) {
    std::mt19937 random(7);
    std::size_t n_accepted = 0;
    for (const char* name :
         {"torch/parameters.bin", "torch/parameters-legacy.bin", "torch/views-legacy.bin"}) {
        const std::vector<std::byte> original = bytes_of(name);
        for (int i = 0; i < 4000; ++i) {
            std::vector<std::byte> bytes = original;
            for (int k = 0; k <= i % 3; ++k) {
                std::byte& byte = bytes[random() % bytes.size()];
                byte = random() % 2 != 0 ? byte ^ std::byte(1 << random() % 8) : std::byte(random() % 256);
            }
            try {
                for (const StoredTensor& tensor : parse_torch(MemoryBytes(bytes))) {
                    CHECK(tensor.offset <= bytes.size());
                    if (tensor.is_contiguous) CHECK(tensor.n_bytes <= bytes.size() - tensor.offset);
                }
                ++n_accepted;
            } catch (const Error&) {
            }
        }
    }
    CHECK(n_accepted > 0);
}

TEST(a_torch_file_that_became_shorter_is_refused) {
    const scratch::Folder folder;
    const std::string path = folder / "pytorch_model.bin";
    scratch::write(path, bytes_of("torch/wrapped.bin"));
    const File file(path);
    std::filesystem::resize_file(path, 100);
    CHECK_THROWS(read_torch(file), format_truncated);
}

TEST(other_files_are_no_torch_files) {
    const auto parse = [](const std::string& text) { return parse_torch(MemoryBytes(as_bytes(text))); };
    CHECK_THROWS(parse(""), format_truncated);
    CHECK_THROWS(parse("\x80\x02}."), format_magic);
    CHECK_THROWS(parse("GGUF"), format_magic);
    CHECK_THROWS(parse("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), format_magic);
    CHECK_THROWS(parse(std::string(257, '\0') + "ustar" + std::string(250, '\0')), unsupported);
}

}  // namespace
