// convert, quantize and synth: what they write opens again, equals its source, and appears whole or not at
// all.
#include <cmath>
#include <cstring>

#include "check.h"
#include "checkpoint/spiece.h"
#include "fixtures.h"
#include "gguf/gguf.h"
#include "jobs/convert.h"
#include "jobs/quantize.h"
#include "jobs/synth.h"
#include "kernels/quantize_rows.h"
#include "model/source.h"
#include "quant/quant.h"
#include "scratch.h"

namespace {

using namespace neox;

const std::vector<std::string> kCheckpoints = {
    "sequential-erf", "sequential-tanh", "sequential-linear-rope", "parallel-quarter-rotary", "odd-shapes",
    "fp16-weights",   "bf16-weights"};

std::string checkpoint(const std::string& name) { return golden::fixture("checkpoints/" + name); }

std::vector<std::byte> stored(const TensorSource& source, std::size_t index) {
    const Tensor& tensor = source.tensors()[index];
    std::vector<std::byte> bytes(tensor.n_bytes);
    source.read_rows(index, 0, tensor.n_rows(), bytes.data());
    return bytes;
}

std::vector<float> floats(const TensorSource& source, std::size_t index) {
    const Tensor& tensor = source.tensors()[index];
    std::vector<float> values(tensor.n_elements());
    dequantize_row(tensor.dtype, stored(source, index).data(), static_cast<std::int64_t>(values.size()),
                   values.data());
    return values;
}

WrittenFile convert_to(const std::string& source, const std::string& output, std::optional<FileType> type) {
    ConvertOptions options;
    options.source = source;
    options.output = output;
    options.types.type = type;
    return convert(options);
}

// A folder like `name` with a tokenizer of 6 pieces and 256 bytes, more than some of the checkpoints'
// vocabularies.
SpieceModel tokenizer() {
    SpieceModel model;
    model.pieces = {{"[PAD]", 0.0f, PieceType::control},
                    {"[UNK]", 0.0f, PieceType::unknown},
                    {"<s>", 0.0f, PieceType::control},
                    {"</s>", 0.0f, PieceType::control},
                    {"[PAD7]", -1.5f},
                    {"a", -2.0f}};
    model.pad_id = 0, model.unk_id = 1, model.bos_id = 2, model.eos_id = 3;
    model.normalizer.add_dummy_prefix = false;
    return model;
}

TEST(convert_keeps_every_value) {
    const scratch::Folder folder;
    for (const std::string& name : kCheckpoints) {
        convert_to(checkpoint(name), folder / "m.gguf", std::nullopt);
        const auto from = open_source(checkpoint(name)), to = open_source(folder / "m.gguf");
        CHECK_EQ(from->tensors().size(), to->tensors().size());
        for (std::size_t i = 0; i < from->tensors().size(); ++i) {
            CHECK_EQ(from->tensors()[i].name, to->tensors()[i].name);
            CHECK(floats(*from, i) == floats(*to, i));
        }
        Config a = from->config(), b = to->config();
        a.unk = b.unk = -1;  // Hugging Face keeps it with the tokenizer
        CHECK(std::memcmp(&a, &b, sizeof a) == 0);
        CHECK_EQ(to->text().name, name);
        CHECK_EQ(to->text().generation_config, from->text().generation_config);
        CHECK(!to->text().generation_config.empty());
    }
}

TEST(convert_quantizes_matrices_and_keeps_vectors) {
    const scratch::Folder folder;
    for (const FileType type :
         {FileType::F32, FileType::F16, FileType::BF16, FileType::Q8_0, FileType::Q4_0}) {
        const WrittenFile result = convert_to(checkpoint("sequential-erf"), folder / "m.gguf", type);
        // Rows of 64 are too short for the head's Q6_K.
        CHECK_EQ(result.fallbacks.size(), type == FileType::Q4_0 ? 1 : 0);
        const auto from = open_source(checkpoint("sequential-erf")), to = open_source(folder / "m.gguf");
        for (std::size_t i = 0; i < to->tensors().size(); ++i) {
            const Tensor& tensor = to->tensors()[i];
            const bool is_head = tensor.name == "output.weight" && type == FileType::Q4_0;
            const DType plain = file_type_info(type).dtype;
            const DType expected = tensor.n_dims == 1 ? DType::F32 : is_head ? DType::Q8_0 : plain;
            CHECK(tensor.dtype == expected);
            const std::vector<float> values = floats(*from, i);
            std::vector<std::byte> bytes(tensor.n_bytes);
            quantize_rows(expected, values.data(), 1, static_cast<std::int64_t>(values.size()), nullptr,
                          bytes.data());
            CHECK(stored(*to, i) == bytes);
        }
        const GgufFile file = read_gguf(File(folder / "m.gguf"));
        CHECK_EQ(file.find_u32("general.quantization_version").has_value(),
                 type == FileType::Q8_0 || type == FileType::Q4_0);
    }
    CHECK_EQ(read_gguf(File(folder / "m.gguf")).get_u32("general.file_type"), 2);
}

TEST(convert_reports_rows_that_no_block_divides) {
    const scratch::Folder folder;
    // hidden 48, feed-forward 80: every row length is odd for blocks of 32.
    const WrittenFile result = convert_to(checkpoint("odd-shapes"), folder / "m.gguf", FileType::Q8_0);
    CHECK_EQ(result.fallbacks.size(), 6);
    const auto source = open_source(folder / "m.gguf");
    for (const Tensor& tensor : source->tensors())
        CHECK(tensor.dtype == (tensor.n_dims == 1 ? DType::F32 : DType::F16));
}

TEST(convert_spells_the_tokenizer_out) {
    const scratch::Folder folder;
    for (const char* name : {"config.json", "model.safetensors", "generation_config.json"})
        scratch::write(folder / name, read_file(checkpoint("sequential-erf") + "/" + name, 1 << 20));
    const std::vector<std::byte> spiece = write_spiece(tokenizer());
    scratch::write(folder / "spiece.model", spiece);
    scratch::write(folder / "tokenizer_config.json", "{\"extra_ids\": 0}");
    convert_to(folder.path(), folder / "m.gguf", FileType::F16);
    const GgufFile file = read_gguf(File(folder / "m.gguf"));
    CHECK_EQ(file.get_string("tokenizer.ggml.model"), "t5");
    const auto& tokens = std::get<GgufArray>(file.find("tokenizer.ggml.tokens")->value).strings;
    CHECK_EQ(tokens.size(), 128);
    CHECK_EQ(tokens[4], "[PAD7]");
    CHECK_EQ(tokens[6], "[PAD6]");
    CHECK_EQ(tokens[7], "[PAD7]_");  // unique, for llama.cpp aborts otherwise
    const auto types = *file.find("tokenizer.ggml.token_type")->as_i32_array();
    CHECK_EQ(types[1], 2);
    CHECK_EQ(types[2], 3);
    CHECK_EQ(types[127], 5);
    const auto scores = *file.find("tokenizer.ggml.scores")->as_f32_array();
    CHECK_EQ(scores[5], -2.0f);
    CHECK_EQ(file.get_u32("tokenizer.ggml.unknown_token_id"), 1);
    CHECK_EQ(file.get_u32("tokenizer.ggml.bos_token_id"), 2);
    CHECK_EQ(file.get_u32("tokenizer.ggml.eos_token_id"), 3);
    CHECK(!file.get_bool("tokenizer.ggml.add_bos_token"));
    CHECK(!file.get_bool("tokenizer.ggml.add_eos_token"));
    CHECK(!file.get_bool("tokenizer.ggml.add_space_prefix"));
    const auto source = open_source(folder / "m.gguf");
    CHECK(source->text().spiece == spiece);
    CHECK_EQ(source->text().tokenizer_config, "{\"extra_ids\": 0}");

    SpieceModel large = tokenizer();
    for (int i = 0; i < 128; ++i) large.pieces.push_back({"p" + std::to_string(i), -1.0f});
    scratch::write(folder / "spiece.model", write_spiece(large));
    CHECK_THROWS(convert_to(folder.path(), folder / "m.gguf", FileType::F16), format_shape);
    scratch::write(folder / "spiece.model", "\x0A\xFF");
    CHECK_THROWS(convert_to(folder.path(), folder / "m.gguf", FileType::F16), format_truncated);
}

TEST(convert_keeps_what_the_configuration_lacks) {
    const scratch::Folder folder;
    const std::string original = checkpoint("sequential-erf");
    scratch::write(folder / "model.safetensors", read_file(original + "/model.safetensors", 1 << 20));
    std::string config = read_text_file(original + "/config.json", 1 << 20);
    for (const std::string member : {"\"bos_token_id\": 2", "\"eos_token_id\": 3", "\"pad_token_id\": 0"})
        config.replace(config.find(member) + member.size() - 1, 1, "null");
    scratch::write(folder / "config.json", config);
    scratch::write(folder / "spiece.model", write_spiece(tokenizer()));
    convert_to(folder.path(), folder / "m.gguf", FileType::F16);
    quantize({folder / "m.gguf", folder / "q.gguf", {FileType::Q8_0}});
    for (const char* name : {"m.gguf", "q.gguf"}) {
        const GgufFile file = read_gguf(File(folder / name));
        CHECK_EQ(file.get_u32("tokenizer.ggml.eos_token_id"), 3);  // llama.cpp would take T5's otherwise
        const ParsedConfig parsed = config_from_gguf(file);
        CHECK(parsed.eos_ids.empty());
        CHECK_EQ(parsed.config.bos, -1);
        CHECK_EQ(parsed.config.eos, -1);
        CHECK_EQ(parsed.config.pad, -1);
    }
}

TEST(convert_refuses_texts_that_the_reader_would_refuse) {
    const scratch::Folder folder;
    for (const char* name : {"config.json", "model.safetensors"})
        scratch::write(folder / name, read_file(checkpoint("sequential-erf") + "/" + name, 1 << 20));
    scratch::write(folder / "spiece.model", write_spiece(tokenizer()));
    scratch::write(folder / "tokenizer_config.json", "{}" + std::string(kGgufLongestString - 2, ' '));
    convert_to(folder.path(), folder / "m.gguf", FileType::F16);
    CHECK_EQ(open_source(folder / "m.gguf")->text().tokenizer_config.size(), kGgufLongestString);
    scratch::write(folder / "tokenizer_config.json", "{}" + std::string(kGgufLongestString - 1, ' '));
    CHECK_THROWS(convert_to(folder.path(), folder / "n.gguf", FileType::F16), format_limit);
    GgufFile file;
    file.set("k", GgufValue::string(std::string(kGgufLongestString + 1, ' ')));
    CHECK_THROWS(encode_gguf_header(file), format_limit);
}

TEST(quantize_equals_convert) {
    const scratch::Folder folder;
    for (const FileType type : {FileType::Q8_0, FileType::Q4_0, FileType::F16}) {
        convert_to(checkpoint("sequential-erf"), folder / "f32.gguf", FileType::F32);
        convert_to(checkpoint("sequential-erf"), folder / "direct.gguf", type);
        QuantizeOptions options{folder / "f32.gguf", folder / "quantized.gguf", {type}};
        quantize(options);
        const auto a = open_source(folder / "direct.gguf"), b = open_source(folder / "quantized.gguf");
        for (std::size_t i = 0; i < a->tensors().size(); ++i) CHECK(stored(*a, i) == stored(*b, i));
        CHECK_EQ(read_gguf(File(folder / "quantized.gguf")).get_u32("general.file_type"),
                 read_gguf(File(folder / "direct.gguf")).get_u32("general.file_type"));
        CHECK_EQ(b->text().name, "sequential-erf");
    }
}

TEST(quantize_onto_its_own_source) {
    const scratch::Folder folder;
    convert_to(checkpoint("sequential-erf"), folder / "m.gguf", FileType::F32);
    quantize({folder / "m.gguf", folder / "m.gguf", {FileType::Q8_0}});
    CHECK_EQ(folder.n_entries(), 1);
    const GgufFile file = read_gguf(File(folder / "m.gguf"));
    CHECK_EQ(file.get_u32("general.file_type"), 7);
    quantize({folder / "m.gguf", folder / "m.gguf", {FileType::F16}});
    CHECK(!read_gguf(File(folder / "m.gguf")).find("general.quantization_version"));
}

TEST(quantize_refuses_what_it_cannot_hold) {
    const scratch::Folder folder;
    CHECK_THROWS(quantize({folder.path(), folder / "o.gguf", {FileType::Q8_0}}), invalid_argument);
    CHECK_THROWS(quantize({folder / "absent", folder / "o.gguf", {FileType::Q8_0}}), file_not_found);
    // A value beyond F16, then one that is not finite.
    synth({.shape = "tiny", .output = folder / "m.gguf", .type = FileType::F32});
    std::vector<std::byte> bytes = read_file(folder / "m.gguf", 1 << 26);
    const GgufFile file = read_gguf(File(folder / "m.gguf"));
    for (const auto& [value, type] : {std::pair{1e6f, FileType::F16}, std::pair{INFINITY, FileType::Q8_0}}) {
        std::memcpy(bytes.data() + file.data_offset + file.tensors[0].offset + 400, &value, 4);
        scratch::write(folder / "bad.gguf", bytes);
        CHECK_THROWS(quantize({folder / "bad.gguf", folder / "o.gguf", {type}}), format_value);
    }
    CHECK(!is_regular_file(folder / "o.gguf"));
    CHECK_EQ(folder.n_entries(), 2);
}

TEST(jobs_cancelled_or_failed_leave_nothing) {
    const scratch::Folder folder;
    std::atomic<bool> cancel{false};
    JobControl control;
    control.n_threads = 1;
    control.cancel = &cancel;
    std::uint64_t last = 0;
    control.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(done >= last && done <= total);
        last = done;
        cancel = done > total / 4;
    };
    CHECK_THROWS(synth({.shape = "tiny", .output = folder / "m.gguf", .type = FileType::F32}, control),
                 cancelled);
    CHECK(last > 0);
    CHECK_EQ(folder.n_entries(), 0);
    CHECK_THROWS(synth({.shape = "huge", .output = folder / "m.gguf"}), invalid_argument);
    CHECK_THROWS(convert_to(folder / "absent", folder / "m.gguf", FileType::F32), file_not_found);
    CHECK_EQ(folder.n_entries(), 0);
}

TEST(synth_is_seeded_and_independent_of_threads) {
    const scratch::Folder folder;
    for (const FileType type : {FileType::F32, FileType::BF16, FileType::Q8_0, FileType::Q3_K_M}) {
        JobControl one, three;
        one.n_threads = 1, three.n_threads = 3;
        synth({.shape = "tiny", .output = folder / "a", .type = type}, one);
        synth({.shape = "tiny", .output = folder / "b", .type = type}, three);
        synth({.shape = "tiny", .output = folder / "c", .type = type, .seed = 1}, three);
        CHECK(read_file(folder / "a", 1 << 26) == read_file(folder / "b", 1 << 26));
        CHECK(read_file(folder / "a", 1 << 26) != read_file(folder / "c", 1 << 26));
    }
}

TEST(synth_with_fewer_layers_has_the_tensors_of_the_whole) {
    const scratch::Folder folder;
    synth({.shape = "tiny", .output = folder / "all", .type = FileType::Q5_0});
    synth({.shape = "tiny", .output = folder / "one", .type = FileType::Q5_0, .n_layer = 1});
    const auto all = open_source(folder / "all"), one = open_source(folder / "one");
    CHECK_EQ(one->config().n_layer, 1);
    std::size_t n_same = 0;
    for (std::size_t i = 0; i < all->tensors().size(); ++i) {
        for (std::size_t k = 0; k < one->tensors().size(); ++k) {
            if (all->tensors()[i].name != one->tensors()[k].name) continue;
            CHECK(floats(*all, i) == floats(*one, k));
            ++n_same;
        }
    }
    CHECK_EQ(n_same, one->tensors().size());
    CHECK_EQ(all->tensors().size() - n_same, 12);
    for (const int n : {-1, 3})
        CHECK_THROWS(synth({.shape = "tiny", .output = folder / "o", .n_layer = n}), invalid_argument);
}

TEST(synth_makes_weights_of_a_sane_scale_in_every_type) {
    const scratch::Folder folder;
    for (const FileTypeInfo& info : file_types()) {
        synth({.shape = "tiny", .output = folder / "m", .type = info.type});
        const auto source = open_source(folder / "m");
        CHECK(source->file_type() == info.type);
        for (std::size_t i = 0; i < source->tensors().size(); ++i) {
            const std::vector<float> values = floats(*source, i);
            double sum = 0, squares = 0;
            for (const float v : values) sum += v, squares += static_cast<double>(v) * v;
            const auto n = static_cast<double>(values.size());
            const bool is_norm = source->tensors()[i].name.ends_with("norm.weight");
            // A block has a sign or a minimum of its own at most every 16 values.
            CHECK_NEAR(sum / n, is_norm ? 1.0 : 0.0, 0.02 * 6 / std::sqrt(n));
            if (!is_norm) CHECK_NEAR(std::sqrt(squares / n), 0.02, 0.004);
        }
    }
}

TEST(synth_pads_the_tokenizer_of_its_base) {
    const scratch::Folder folder;
    SpieceModel base = tokenizer();
    scratch::write(folder / "spiece.model", write_spiece(base));
    synth({.shape = "tiny", .output = folder / "m.gguf", .type = FileType::Q4_0, .tokenizer = folder.path()});
    const auto source = open_source(folder / "m.gguf");
    const SpieceModel grown = parse_spiece(source->text().spiece);
    validate_spiece(grown);
    CHECK_EQ(grown.pieces.size(), 2560);
    CHECK_EQ(grown.pieces[5].text, "a");
    CHECK(grown.pieces[2559].type == PieceType::unused);
    CHECK_EQ(source->config().eos, 3);
    // A file can be the base of another.
    synth({.shape = "tiny",
           .output = folder / "n.gguf",
           .type = FileType::Q4_0,
           .tokenizer = folder / "m.gguf"});
    CHECK(open_source(folder / "n.gguf")->text().spiece == source->text().spiece);

    synth({.shape = "tiny", .output = folder / "none.gguf", .type = FileType::Q4_0});
    CHECK(open_source(folder / "none.gguf")->text().spiece.empty());
    CHECK_THROWS(synth({.shape = "tiny", .output = folder / "o", .tokenizer = folder / "none.gguf"}),
                 no_tokenizer);
    for (int i = 0; i < 3000; ++i) base.pieces.push_back({"p" + std::to_string(i), -1.0f});
    scratch::write(folder / "spiece.model", write_spiece(base));
    CHECK_THROWS(synth({.shape = "tiny", .output = folder / "o", .tokenizer = folder.path()}),
                 invalid_argument);
}

TEST(gguf_config_is_required_and_checked) {
    const scratch::Folder folder;
    synth({.shape = "tiny", .output = folder / "m.gguf", .type = FileType::Q4_0});
    const GgufFile good = read_gguf(File(folder / "m.gguf"));
    const auto with = [&](auto change) {
        GgufFile file = good;
        change(file);
        return config_from_gguf(file);
    };
    CHECK_EQ(with([](GgufFile&) {}).config.n_layer, 2);
    for (const char* key :
         {"general.architecture", "gptneox.context_length", "gptneox.embedding_length", "gptneox.block_count",
          "gptneox.feed_forward_length", "gptneox.attention.head_count",
          "gptneox.attention.layer_norm_epsilon", "gptneox.use_parallel_residual"})
        CHECK_THROWS(
            with([&](GgufFile& f) { std::erase_if(f.metadata, [&](auto& e) { return e.first == key; }); }),
            format_missing);
    const auto set = [&](const char* key, GgufValue value) {
        return with([&](GgufFile& f) { f.set(key, value); });
    };
    CHECK_THROWS(set("general.architecture", GgufValue::string("llama")), unsupported);
    CHECK_THROWS(set("gptneox.block_count", GgufValue::u32(0)), format_value);
    CHECK_THROWS(set("gptneox.block_count", GgufValue::u32(513)), format_value);
    CHECK_THROWS(set("gptneox.block_count", GgufValue::f32(2)), format_type);
    CHECK_THROWS(set("gptneox.attention.head_count", GgufValue::u32(0)), format_value);
    CHECK_THROWS(set("gptneox.attention.head_count", GgufValue::u32(3)), format_value);
    CHECK_THROWS(set("gptneox.attention.head_count_kv", GgufValue::u32(2)), unsupported);
    CHECK_THROWS(set("gptneox.rope.dimension_count", GgufValue::u32(66)), format_value);
    CHECK_THROWS(set("gptneox.rope.dimension_count", GgufValue::u32(63)), unsupported);
    CHECK_THROWS(set("gptneox.attention.layer_norm_epsilon", GgufValue::f32(NAN)), format_value);
    CHECK_THROWS(set("gptneox.rope.scaling.type", GgufValue::string("yarn")), unsupported);
    CHECK_THROWS(set("tokenizer.ggml.bos_token_id", GgufValue::u32(2560)), format_value);
    CHECK_THROWS(set("neox.hidden_act", GgufValue::string("relu")), unsupported);
    CHECK_EQ(set("gptneox.rope.scaling.factor", GgufValue::f32(4)).config.rope_factor, 4.0f);
    CHECK_EQ(set("tokenizer.ggml.bos_token_id", GgufValue::u32(~0u)).config.bos, -1);
    CHECK_EQ(with([](GgufFile& f) {
                 f.set("neox.rope.scaling.type", GgufValue::string("dynamic"));
                 f.set("neox.rope.scaling.factor", GgufValue::f32(2));
             }).config.rope_factor,
             2.0f);
}

}  // namespace
