// The weight files of a Hugging Face directory: every form gives the same tensors, and a directory may be a cache of
// links.
#include "model/hf_files.h"

#include <filesystem>
#if !defined(_WIN32)
#include <sys/stat.h>
#endif

#include "check.h"
#include "fixtures.h"
#include "model/source.h"
#include "scratch.h"

namespace {

using namespace neox;
namespace fs = std::filesystem;

constexpr auto kCopy = fs::copy_options::recursive | fs::copy_options::overwrite_existing;

std::string fixture(const std::string& name) { return golden::fixture("torch/" + name); }

std::vector<std::byte> all_of(const TensorSource& source, std::size_t index) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(source.tensors()[index].n_bytes));
    source.read_rows(index, 0, source.tensors()[index].n_rows(), bytes.data());
    return bytes;
}

// The sources have the same tensors; with a tied head, the second one's is its embedding.
void check_same(const TensorSource& a, const TensorSource& b, bool is_tied = false) {
    CHECK_EQ(a.tensors().size(), b.tensors().size());
    for (std::size_t i = 0; i < a.tensors().size(); ++i) {
        const Tensor &x = a.tensors()[i], &y = b.tensors()[i];
        CHECK_EQ(x.name, y.name);
        CHECK(x.dtype == y.dtype && x.n_rows() == y.n_rows() && x.n_cols() == y.n_cols());
        CHECK(all_of(is_tied && x.name == "output.weight" ? b : a,
                     is_tied && x.name == "output.weight" ? 0 : i) == all_of(b, i));
    }
}

TEST(weights_are_the_same_in_every_form) {
    const auto reference = open_source(fixture("safetensors"));
    CHECK(reference->tensors()[1].dtype == DType::F16);
    for (const char* form : {"zip", "legacy", "shards"}) check_same(*reference, *open_source(fixture(form)));
    check_same(*reference, *open_source(fixture("tied")), true);
}

TEST(buffers_and_biases_of_old_checkpoints_are_told_apart) {
    const WeightFiles weights = open_weight_files(fixture("legacy"));
    CHECK(weights.tensors.contains("gpt_neox.layers.0.attention.bias"));
    CHECK(weights.tensors.contains("gpt_neox.layers.0.attention.query_key_value.bias"));
    CHECK_EQ(weights.tensors.at("gpt_neox.layers.0.attention.bias").stored.dtype_name, "BOOL");
    CHECK_EQ(weights.tensors.at("embed_out.weight").stored.shape.front(), 12);
}

TEST(safetensors_come_before_torch_files) {
    const scratch::Folder folder;
    fs::copy(fixture("safetensors"), folder.path(), kCopy);
    scratch::write(folder / "pytorch_model.bin", "not read");
    scratch::write(folder / "pytorch_model.bin.index.json", "not read");
    check_same(*open_source(fixture("safetensors")), *open_source(folder.path()));
    fs::remove(folder / "model.safetensors");
    CHECK_THROWS(open_source(folder.path()), format_magic);
    fs::remove(folder / "pytorch_model.bin");
    CHECK_THROWS(open_source(folder.path()), format_syntax);
    fs::remove(folder / "pytorch_model.bin.index.json");
    CHECK_THROWS(open_source(folder.path()), file_not_found);
}

TEST(torch_shards_and_index_must_agree) {
    const scratch::Folder folder;
    const std::string first = "pytorch_model-00001-of-00002.bin", second = "pytorch_model-00002-of-00002.bin";
    fs::copy(fixture("shards"), folder.path(), kCopy);
    CHECK_EQ(open_weight_files(folder.path()).files.size(), 2);
    fs::remove(folder / second);
    CHECK_THROWS(open_weight_files(folder.path()), file_not_found);
    fs::copy_file(folder / first, folder / second);
    CHECK_THROWS(open_weight_files(folder.path()), format_duplicate);
    fs::copy_file(fixture("wrapped.bin"), folder / second, fs::copy_options::overwrite_existing);
    CHECK_THROWS(open_weight_files(folder.path()), format_missing);
    fs::remove(folder / second);
    fs::create_directory(folder / second);
    CHECK_THROWS(open_weight_files(folder.path()), io);
    const std::string index = folder / "pytorch_model.bin.index.json";
    for (const char* name : {"../x.bin", "/etc/passwd", "C:\\\\x.bin", "a/b.bin", "con.bin", ".x.bin", "",
                             "x.bin ", "model.safetensors", "x\\u0000.bin"}) {
        scratch::write(index, "{\"weight_map\": {\"t\": \"" + std::string(name) + "\"}}");
        CHECK_THROWS(open_weight_files(folder.path()), format_value);
    }
}

TEST(views_are_refused_as_weights) {
    const scratch::Folder folder;
    fs::copy_file(fixture("views.bin"), folder / "pytorch_model.bin");
    const WeightFiles weights = open_weight_files(folder.path());
    CHECK(!weights.tensors.at("view.transposed").stored.is_contiguous);
    CHECK(weights.tensors.at("rows").stored.is_contiguous);
}

#if !defined(_WIN32)
// snapshots/<revision>/<name> -> ../../blobs/<hash>
TEST(links_of_the_cache_are_followed) {
    const scratch::Folder cache;
    fs::create_directories(cache / "blobs");
    fs::create_directories(cache / "snapshots/main");
    int n = 0;
    for (const auto& entry : fs::directory_iterator(fixture("shards"))) {
        const std::string blob = std::to_string(n++);
        fs::copy_file(entry.path(), cache / ("blobs/" + blob));
        fs::create_symlink("../../blobs/" + blob,
                           cache / ("snapshots/main/" + entry.path().filename().string()));
    }
    check_same(*open_source(fixture("safetensors")), *open_source(cache / "snapshots/main"));
}

TEST(a_pipe_in_place_of_weights_does_not_block) {
    const scratch::Folder folder;
    fs::copy_file(fixture("shards/config.json"), folder / "config.json");
    CHECK_EQ(::mkfifo((folder / "pytorch_model.bin").c_str(), 0600), 0);
    CHECK_THROWS(open_source(folder.path()), file_not_found);
    scratch::write(folder / "pytorch_model.bin.index.json", R"({"weight_map": {"t": "pipe.bin"}})");
    CHECK_EQ(::mkfifo((folder / "pipe.bin").c_str(), 0600), 0);
    CHECK_THROWS(open_source(folder.path()), io);
}
#endif

TEST(a_pointer_of_git_lfs_says_what_it_is) {
    const scratch::Folder folder;
    const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
    for (const char* name : {"pytorch_model.bin", "model.safetensors"}) {
        scratch::write(folder / name, pointer);
        CHECK_THROWS(open_weight_files(folder.path()), format_magic);
    }
}

}  // namespace
