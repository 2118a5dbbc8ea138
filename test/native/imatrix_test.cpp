// Importance matrices: both file forms, hostile files, and what collecting adds up against transformers.
#include "model/imatrix.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "check.h"
#include "gguf/gguf.h"
#include "golden.h"
#include "jobs/imatrix.h"
#include "scratch.h"

namespace {

using namespace neox;

ImportanceMatrix sample() {
    ImportanceMatrix matrix;
    matrix.entries["blk.0.ffn_up.weight"] = {{0.0, 12.0, 96.0}, 12.0};
    matrix.entries["blk.1.ffn_down.weight"] = {{5.0, 2.5}, 10.0};
    matrix.datasets = {"a.txt", "b.txt"};
    matrix.chunk_count = 3;
    matrix.chunk_size = 4;
    return matrix;
}

// The legacy form, byte by byte.
struct Legacy {
    std::vector<std::byte> bytes;

    template <class T> Legacy& add(T value) {
        const auto* begin = reinterpret_cast<const std::byte*>(&value);
        bytes.insert(bytes.end(), begin, begin + sizeof value);
        return *this;
    }
    Legacy& string(const std::string& value) {
        add(static_cast<std::int32_t>(value.size()));
        const auto span = as_bytes(value);
        bytes.insert(bytes.end(), span.begin(), span.end());
        return *this;
    }
    Legacy& entry(const std::string& name, std::int32_t n_calls, const std::vector<float>& values) {
        string(name).add(n_calls).add(static_cast<std::int32_t>(values.size()));
        for (const float value : values) add(value);
        return *this;
    }
};

Legacy legacy(std::int32_t n_entries) { return Legacy{}.add(n_entries); }

// The GGUF form with a change to what a good file has.
template <class Change> std::vector<std::byte> gguf_with(const scratch::Folder& folder, Change change) {
    GgufFile file;
    file.set("general.type", GgufValue::string("imatrix"));
    file.set("imatrix.datasets", GgufValue::strings({"a.txt"}));
    file.set("imatrix.chunk_count", GgufValue::u32(1));
    file.set("imatrix.chunk_size", GgufValue::u32(512));
    std::vector<std::vector<float>> data{{1.0f, 2.0f}, {4.0f}};
    for (const char* name : {"m.in_sum2", "m.counts"}) {
        Tensor tensor;
        tensor.name = name;
        tensor.n_dims = 2;
        tensor.shape[0] = file.tensors.empty() ? 2 : 1;
        file.tensors.push_back(tensor);
    }
    change(file, data);
    GgufWriter writer(folder / "changed", std::move(file));
    for (std::size_t i = 0; i < data.size(); ++i) writer.write(i, 0, std::as_bytes(std::span(data[i])));
    writer.commit();
    return read_file(folder / "changed", 1 << 20);
}

constexpr std::int32_t kChunk = 48;

golden::Tensors expected_sums(const std::string& name) {
    return golden::Tensors(golden::fixture("importance/" + name + ".safetensors"));
}

CollectOptions options_for(const std::string& name, const std::string& output) {
    CollectOptions options;
    options.model = golden::fixture("checkpoints/" + name);
    options.output = output;
    options.ids = expected_sums(name).ids("ids");
    options.dataset = "text.txt";
    options.chunk_size = kChunk;
    return options;
}

}  // namespace

TEST(imatrix_gguf_round_trip) {
    const scratch::Folder folder;
    write_imatrix(sample(), folder / "m.gguf");
    const ImportanceMatrix read = read_imatrix(folder / "m.gguf");
    CHECK(read.datasets == sample().datasets);
    CHECK_EQ(read.chunk_count, 3);
    CHECK_EQ(read.chunk_size, 4);
    CHECK_EQ(read.entries.size(), 2);
    for (const auto& [name, entry] : sample().entries) {
        CHECK(read.entries.at(name).sums == entry.sums);
        CHECK_EQ(read.entries.at(name).count, entry.count);
    }
    const GgufFile file = read_gguf(File(folder / "m.gguf"));
    CHECK_EQ(file.tensors[0].name, "blk.0.ffn_up.weight.in_sum2");
    CHECK_EQ(file.tensors[1].name, "blk.0.ffn_up.weight.counts");
}

TEST(imatrix_legacy_round_trip_keeps_the_means) {
    const scratch::Folder folder;
    write_imatrix(sample(), folder / "m.dat");
    const Legacy expected = legacy(2)
                                .entry("blk.0.ffn_up.weight", 3, {0.0f, 3.0f, 24.0f})
                                .entry("blk.1.ffn_down.weight", 3, {1.5f, 0.75f})
                                .add(std::int32_t{3})
                                .string("b.txt");
    CHECK(read_file(folder / "m.dat", 1 << 20) == expected.bytes);
    const ImportanceMatrix read = read_imatrix(folder / "m.dat");
    CHECK_EQ(read.chunk_size, 0);
    CHECK_EQ(read.chunk_count, 3);
    for (const auto& [name, entry] : sample().entries)
        for (std::size_t i = 0; i < entry.sums.size(); ++i)
            CHECK_NEAR(read.entries.at(name).sums[i] / read.entries.at(name).count,
                       entry.sums[i] / entry.count, 1e-6);
    // Files of other ages end after the entries, or after the number of chunks.
    const Legacy bare = legacy(1).entry("m", 2, {4.0f});
    CHECK_EQ(parse_imatrix(bare.bytes).entries.at("m").count, 2.0);
    CHECK_EQ(parse_imatrix(Legacy(bare).add(std::int32_t{7}).bytes).chunk_count, 7);
}

TEST(imatrix_weights_are_relative_and_above_zero) {
    const std::vector<float> weights = ImportanceEntry{{0.0, 2.0, 8.0}, 4.0}.weights();
    CHECK_EQ(weights[0], 1e-8f);
    CHECK_EQ(weights[1], 0.25f);
    CHECK_EQ(weights[2], 1.0f);
    CHECK(ImportanceEntry({{0.0, 0.0}, 4.0}).weights() == std::vector<float>(2, 1.0f));
}

TEST(imatrix_sums_add_up) {
    ImportanceMatrix sum = sample();
    ImportanceMatrix other = sample();
    other.entries.erase("blk.1.ffn_down.weight");
    other.entries["new"] = {{1.0}, 2.0};
    add_imatrix(sum, other);
    CHECK_EQ(sum.entries.at("blk.0.ffn_up.weight").sums[2], 192.0);
    CHECK_EQ(sum.entries.at("blk.0.ffn_up.weight").count, 24.0);
    CHECK_EQ(sum.entries.at("blk.1.ffn_down.weight").count, 10.0);
    CHECK_EQ(sum.entries.at("new").sums[0], 1.0);
    CHECK_EQ(sum.chunk_count, 6);
    CHECK_EQ(sum.datasets.size(), 4);
    // Calls of unknown size count as whole chunks.
    other = ImportanceMatrix{{{"new", {{3.0}, 3.0}}}, {}, 3, 0};
    add_imatrix(sum, other);
    CHECK_EQ(sum.entries.at("new").count, 14.0);
    CHECK_EQ(sum.entries.at("new").sums[0], 13.0);
    other.entries["new"].sums = {1.0, 2.0};
    CHECK_THROWS(add_imatrix(sum, other), format_shape);
    CHECK_EQ(sum.entries.at("new").count, 14.0);
}

// Two files that are read make one that is read, however large their numbers.
TEST(imatrix_sums_beyond_f32_are_written_as_the_largest) {
    const scratch::Folder folder;
    constexpr float kLargest = std::numeric_limits<float>::max();
    constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
    ImportanceMatrix sum;
    for (int i = 0; i < 2; ++i) add_imatrix(sum, {{{"m", {{kLargest, 1.0}, kLargest}}}, {}, kMost, 512});
    CHECK_EQ(sum.chunk_count, kMost);
    for (const char* name : {"m.gguf", "m.dat"}) {
        write_imatrix(sum, folder / name);
        CHECK(read_imatrix(folder / name).entries.at("m").weights() == sum.entries.at("m").weights());
    }
}

TEST(imatrix_hostile_legacy_files_are_errors) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                    kInf = std::numeric_limits<float>::infinity();
    const std::int32_t huge = std::numeric_limits<std::int32_t>::max();
    const auto parse = [](const Legacy& file) { return parse_imatrix(file.bytes); };
    CHECK_THROWS(parse(Legacy{}), format_truncated);
    CHECK_THROWS(parse(legacy(0)), format_value);
    CHECK_THROWS(parse(legacy(-1)), format_value);
    CHECK_THROWS(parse(legacy(huge)), format_truncated);
    Legacy many = legacy(65537);
    for (int i = 0; i <= 65536; ++i) many.entry(std::to_string(i), 1, {1.0f});
    CHECK_THROWS(parse(many), format_limit);
    CHECK_THROWS(parse(legacy(1).add(huge)), format_truncated);
    CHECK_THROWS(parse(legacy(1).add(std::int32_t{-5})), format_value);
    CHECK_THROWS(parse(legacy(1).entry("", 1, {1.0f})), format_value);
    CHECK_EQ(parse(legacy(1).entry(std::string(55, 'm'), 1, {1.0f})).entries.size(), 1);
    CHECK_THROWS(parse(legacy(1).entry(std::string(56, 'm'), 1, {1.0f})), format_limit);
    CHECK_THROWS(parse(legacy(1).entry("m", 0, {1.0f})), format_value);
    CHECK_THROWS(parse(legacy(1).entry("m", 1, {})), format_value);
    CHECK_THROWS(parse(legacy(1).string("m").add(std::int32_t{1}).add(huge)), format_truncated);
    for (const float bad : {kNan, kInf, -1.0f})
        CHECK_THROWS(parse(legacy(1).entry("m", 1, {1.0f, bad})), format_value);
    CHECK_THROWS(parse(legacy(2).entry("m", 1, {1.0f}).entry("m", 1, {1.0f})), format_duplicate);
    CHECK_THROWS(parse(legacy(1).entry("m", 1, {1.0f}).add(std::int32_t{-1})), format_value);
    CHECK_THROWS(parse(legacy(1).entry("m", 1, {1.0f}).add(std::int32_t{1}).add(huge)), format_truncated);
}

TEST(imatrix_hostile_gguf_files_are_errors) {
    const scratch::Folder folder;
    using Data = std::vector<std::vector<float>>;
    const auto parse = [&](auto change) { return parse_imatrix(gguf_with(folder, change)); };
    CHECK_EQ(parse([](GgufFile&, Data&) {}).entries.at("m").count, 4.0);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.set("general.type", GgufValue::string("model")); }),
                 format_value);
    CHECK_THROWS(parse([](GgufFile& f, Data&) {
                     std::erase_if(f.metadata, [](auto& e) { return e.first == "general.type"; });
                 }),
                 format_value);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.metadata.pop_back(); }), format_missing);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.set("imatrix.chunk_size", GgufValue::f32(1)); }),
                 format_type);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.set("imatrix.datasets", GgufValue::u32(1)); }),
                 format_type);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.tensors[0].name = "m.other"; }), format_value);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.tensors[0].dtype = DType::I32; }), format_type);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.tensors[0].shape[0] = 1, f.tensors[0].shape[1] = 2; }),
                 format_shape);
    CHECK_THROWS(parse([](GgufFile& f, Data&) { f.tensors[1].name = "n.counts"; }), format_missing);
    CHECK_THROWS(parse([](GgufFile& f, Data& d) { f.tensors.pop_back(), d.pop_back(); }), format_missing);
    CHECK_THROWS(parse([](GgufFile& f, Data& d) { f.tensors.clear(), d.clear(); }), format_missing);
    CHECK_THROWS(parse([](GgufFile&, Data& d) { d[0][1] = -1.0f; }), format_value);
    CHECK_THROWS(parse([](GgufFile&, Data& d) { d[1][0] = 0.0f; }), format_value);
    CHECK_THROWS(parse([](GgufFile&, Data& d) { d[1][0] = std::numeric_limits<float>::infinity(); }),
                 format_value);
}

TEST(imatrix_every_truncation_is_an_error) {
    const scratch::Folder folder;
    for (const char* name : {"m.gguf", "m.dat"}) {
        write_imatrix(sample(), folder / name);
        const std::vector<std::byte> whole = read_file(folder / name, 1 << 20);
        const bool is_legacy = std::string(name) == "m.dat";
        // What may be missing: the padding after the last tensor; the chunks and the dataset of the legacy form.
        const std::size_t n_entries_end = whole.size() - (is_legacy ? 4 + 4 + 5 : 28);
        for (std::size_t n = 0; n < whole.size(); ++n) {
            const std::vector<std::byte> part = scratch::prefix(whole, n);
            bool is_error = false;
            try {
                parse_imatrix(part);
            } catch (const Error& e) {
                is_error = std::string(error_code_name(e.code())).starts_with("ERR_NEOX_FORMAT_");
            }
            const bool may_end =
                is_legacy ? n == n_entries_end || n == n_entries_end + 4 : n >= n_entries_end;
            CHECK_EQ(is_error, !may_end);
        }
    }
}

TEST(imatrix_collected_sums_equal_transformers) {
    const scratch::Folder folder;
    for (const std::string name : {"sequential-erf", "parallel-quarter-rotary"}) {
        const golden::Tensors expected = expected_sums(name);
        CollectOptions options = options_for(name, folder / "m.gguf");
        options.process_output = true;
        const CollectResult result = collect_imatrix(options);
        CHECK_EQ(result.n_chunks, 3);
        CHECK_EQ(result.n_tokens, 3 * kChunk);
        CHECK_EQ(result.n_entries, 9);
        const ImportanceMatrix matrix = read_imatrix(folder / "m.gguf");
        CHECK_EQ(matrix.chunk_count, 3);
        CHECK_EQ(matrix.chunk_size, kChunk);
        CHECK_EQ(matrix.datasets.at(0), "text.txt");
        for (const auto& [matrix_name, entry] : matrix.entries) {
            CHECK_EQ(entry.count, 3.0 * kChunk);
            const std::vector<float> golden = expected.floats(matrix_name);
            CHECK_EQ(entry.sums.size(), golden.size());
            for (std::size_t i = 0; i < golden.size(); ++i)
                CHECK_NEAR(entry.sums[i], golden[i], 1e-4 * golden[i] + 1e-6);
        }
    }
}

TEST(imatrix_sums_have_the_same_bits_on_any_number_of_threads) {
    const scratch::Folder folder;
    const auto collect = [&](int n_threads, const std::string& name) {
        JobControl control;
        control.n_threads = n_threads;
        collect_imatrix(options_for("sequential-erf", folder / name), control);
        return read_file(folder / name, 1 << 20);
    };
    CHECK(collect(1, "one") == collect(3, "three"));
}

TEST(imatrix_runs_add_up_to_one) {
    const scratch::Folder folder;
    collect_imatrix(options_for("sequential-erf", folder / "whole"));
    CollectOptions first = options_for("sequential-erf", folder / "first"),
                   rest = options_for("sequential-erf", folder / "sum");
    first.max_chunks = 1;
    collect_imatrix(first);
    rest.ids.erase(rest.ids.begin(), rest.ids.begin() + kChunk);
    rest.inputs = {folder / "first"};
    CHECK_EQ(collect_imatrix(rest).n_chunks, 2);
    const ImportanceMatrix whole = read_imatrix(folder / "whole"), sum = read_imatrix(folder / "sum");
    CHECK_EQ(sum.chunk_count, 3);
    for (const auto& [name, entry] : whole.entries) {
        CHECK_EQ(sum.entries.at(name).count, entry.count);
        for (std::size_t i = 0; i < entry.sums.size(); ++i)
            CHECK_NEAR(sum.entries.at(name).sums[i], entry.sums[i], 1e-6 * entry.sums[i]);
    }
    // Without a text, files alone.
    CollectOptions merge;
    merge.output = folder / "merged";
    merge.inputs = {folder / "first", folder / "first"};
    CHECK_EQ(collect_imatrix(merge).n_entries, 8);
    CHECK_EQ(read_imatrix(folder / "merged").chunk_size, kChunk);
    CHECK_EQ(read_imatrix(folder / "merged").chunk_count, 2);
}

TEST(imatrix_bos_takes_the_first_place_of_each_chunk) {
    const scratch::Folder folder;
    CollectOptions with = options_for("sequential-erf", folder / "with"),
                   by_hand = options_for("sequential-erf", folder / "hand");
    with.bos = 2;
    for (std::size_t i = 0; i < by_hand.ids.size(); i += kChunk) by_hand.ids[i] = 2;
    collect_imatrix(with);
    collect_imatrix(by_hand);
    CHECK(read_file(folder / "with", 1 << 20) == read_file(folder / "hand", 1 << 20));
}

TEST(imatrix_job_that_fails_or_is_cancelled_leaves_nothing) {
    const scratch::Folder folder;
    CollectOptions options = options_for("sequential-erf", folder / "m.gguf");
    const auto with = [&](auto change) {
        CollectOptions changed = options;
        change(changed);
        return collect_imatrix(changed);
    };
    CHECK_THROWS(with([](CollectOptions& o) { o.chunk_size = 151; }), invalid_argument);
    CHECK_THROWS(with([](CollectOptions& o) { o.chunk_size = 0; }), invalid_argument);
    CHECK_THROWS(with([](CollectOptions& o) { o.ids.clear(); }), invalid_argument);
    CHECK_THROWS(with([](CollectOptions& o) { o.ids.resize(600), o.chunk_size = 300; }), invalid_argument);
    CHECK_THROWS(with([](CollectOptions& o) { o.ids[3] = 128; }), invalid_argument);
    CHECK_THROWS(with([](CollectOptions& o) { o.model += "-absent"; }), file_not_found);
    CHECK_THROWS(with([](CollectOptions& o) { o.inputs = {o.model + "/config.json"}; }), format_truncated);
    std::atomic<bool> cancel{false};
    JobControl control;
    control.cancel = &cancel;
    std::uint64_t last = 0;
    control.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(done >= last && done <= total);
        last = done;
        cancel = done > total / 2;
    };
    CHECK_THROWS(collect_imatrix(options, control), cancelled);
    CHECK(last > 0 && last < 3 * kChunk);
    CHECK_EQ(folder.n_entries(), 0);
}
