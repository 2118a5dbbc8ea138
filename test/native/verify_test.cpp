// verify: finite numbers everywhere, or where the first one is that is not.
#include "jobs/verify.h"

#include <atomic>
#include <cstring>

#include "check.h"
#include "fixtures.h"
#include "gguf/gguf.h"
#include "jobs/convert.h"
#include "model/source.h"
#include "scratch.h"

namespace {

using namespace neox;

const std::string kCheckpoint = golden::fixture("checkpoints/sequential-erf");

void convert_to(const std::string& output) {
    ConvertOptions options;
    options.source = kCheckpoint;
    options.output = output;
    convert(options);
}

// Puts a float at (row, column) of a tensor of an F32 file.
void spoil(const std::string& path, const std::string& name, std::uint64_t row, std::uint64_t column,
           float value) {
    const GgufFile file = read_gguf(File(path));
    std::vector<std::byte> bytes = read_file(path, std::uint64_t{1} << 30);
    for (const Tensor& tensor : file.tensors)
        if (tensor.name == name)
            std::memcpy(bytes.data() + file.data_offset + tensor.offset +
                            4 * (row * tensor.n_cols() + column),
                        &value, sizeof value);
    OutputFile out(path);
    out.append(bytes);
    out.commit();
}

TEST(verify_finds_nothing_wrong_with_a_sound_model) {
    const auto source = open_source(kCheckpoint);
    const VerifyResult result = verify(kCheckpoint);
    CHECK(result.bad.empty());
    CHECK_EQ(result.n_tensors, source->tensors().size());
    std::uint64_t n_elements = 0;
    for (const Tensor& tensor : source->tensors()) n_elements += tensor.n_elements();
    CHECK_EQ(result.n_elements, n_elements);
    CHECK_EQ(result.n_bytes, 4 * n_elements);
}

TEST(verify_counts_what_is_not_finite_and_says_where_it_begins) {
    const scratch::Folder folder;
    const std::string path = folder / "m.gguf";
    convert_to(path);
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    spoil(path, "blk.1.ffn_up.weight", 7, 3, nan);
    spoil(path, "blk.1.ffn_up.weight", 5, 9, -infinity);
    spoil(path, "blk.1.ffn_up.weight", 5, 11, infinity);
    spoil(path, "output_norm.bias", 0, 2, infinity);
    const VerifyResult result = verify(path);
    CHECK_EQ(result.bad.size(), std::size_t{2});
    CHECK_EQ(result.bad[0].name, std::string("blk.1.ffn_up.weight"));
    CHECK_EQ(result.bad[0].n_nan, std::uint64_t{1});
    CHECK_EQ(result.bad[0].n_infinite, std::uint64_t{2});
    CHECK_EQ(result.bad[0].row, std::uint64_t{5});
    CHECK_EQ(result.bad[0].column, std::uint64_t{9});
    CHECK_EQ(result.bad[1].name, std::string("output_norm.bias"));
    CHECK_EQ(result.bad[1].column, std::uint64_t{2});
}

TEST(verify_can_be_cancelled) {
    const std::atomic<bool> cancel{true};
    JobControl control;
    control.cancel = &cancel;
    CHECK_THROWS(verify(kCheckpoint, control), cancelled);
}

}  // namespace
