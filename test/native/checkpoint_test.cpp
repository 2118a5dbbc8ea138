// JSON and safetensors: everything that a header can get wrong has its own refusal.
#include <cmath>
#include <cstring>

#include "check.h"
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weight_index.h"
#include "scratch.h"

namespace {

using namespace neox;

JsonValue parse(const std::string& s) { return parse_json(s, "text"); }

TEST(json_reads_every_kind) {
    const JsonValue v =
        parse(R"( {"a": [1, -2.5e1, true, null, "x\n\u00e9\ud83d\ude00\/"], "b": {"c": false}} )");
    const JsonArray& a = v.find("a")->as_array("a");
    CHECK_EQ(a[0].as_integer("a"), 1);
    CHECK_EQ(a[1].as_number("a"), -25.0);
    CHECK(a[2].as_bool("a"));
    CHECK(a[3].is_null());
    CHECK_EQ(a[4].as_string("a"), "x\n\xC3\xA9\xF0\x9F\x98\x80/");
    CHECK(!v.find("b")->find("c")->as_bool("c"));
    CHECK(v.find("absent") == nullptr);
    CHECK_EQ(v.to_text(),
             "{\"a\": [1, -25, true, null, \"x\\n\xC3\xA9\xF0\x9F\x98\x80/\"], \"b\": {\"c\": false}}");
}

TEST(json_integers_are_exact_and_only_digits) {
    CHECK_EQ(parse("9223372036854775807").as_integer("n"), INT64_MAX);
    CHECK_EQ(parse("-9223372036854775808").as_integer("n"), INT64_MIN);
    CHECK_EQ(parse("9007199254740993").as_integer("n"), 9007199254740993);
    for (const char* text :
         {"9223372036854775808", "-9223372036854775809", "1e3", "1.0", "-0", "\"1\"", "true"})
        CHECK_THROWS(parse(text).as_integer("n"), format_type);
    CHECK_EQ(parse("1e3").as_number("n"), 1000.0);
    CHECK_EQ(parse("0.1").as_number("n"), 0.1);
    CHECK(std::isinf(parse("1e999").as_number("n")));
    CHECK(parse("-1e999").as_number("n") < 0);
    CHECK_EQ(parse("1e-999").as_number("n"), 0.0);
    CHECK(std::isnan(parse("NaN").as_number("n")));
    CHECK(std::isinf(parse("-Infinity").as_number("n")));
}

TEST(json_refuses_bad_syntax) {
    for (const char* text : {"",
                             " ",
                             "{",
                             "[",
                             "[1",
                             "[1,",
                             "[1,]",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{'a':1}",
                             "[1 2]",
                             "01",
                             "-",
                             "1.",
                             ".5",
                             "1e",
                             "1e+",
                             "+1",
                             "nul",
                             "tru",
                             "\"",
                             "\"a",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "\"\\u12g4\"",
                             "\"\t\"",
                             "\"\\ud800\"",
                             "\"\\ud800x\"",
                             "\"\\ud800\\u0041\"",
                             "\"\\udc00\"",
                             "1 2",
                             "{}x",
                             "// c\n1",
                             "\xEF\xBB\xBF{}",
                             "\"\xFF\"",
                             "\"\xED\xA0\x80\"",
                             "[1]\x01"})
        CHECK_THROWS(parse(text), format_syntax);
    CHECK_THROWS(parse(std::string("\xFF\xFE{\0}\0", 6)), format_syntax);
    CHECK_THROWS(parse(std::string("{\0}", 3)), format_syntax);
}

TEST(json_refuses_duplicate_keys) {
    CHECK_THROWS(parse(R"({"a": 1, "b": 2, "a": 3})"), format_duplicate);
    CHECK_THROWS(parse(R"({"a": 1, "\u0061": 3})"), format_duplicate);
    CHECK_EQ(parse(R"({"__proto__": 1, "x": {"__proto__": 2}})").find("__proto__")->as_integer("p"), 1);
}

TEST(json_is_bounded) {
    const std::string deep(10000, '[');
    CHECK_THROWS(parse(deep), format_limit);
    CHECK_THROWS(parse_json("[1,2,3]", "text", {100, 4, 3}), format_limit);
    CHECK_THROWS(parse_json("[1,2,3]", "text", {6, 4, 10}), format_limit);
    CHECK_EQ(parse_json("[1,2,3]", "text", {7, 1, 4}).as_array("a").size(), 3);
    CHECK_THROWS(parse_json("[[1]]", "text", {100, 1, 10}), format_limit);
}

TEST(json_truncated_anywhere_is_refused) {
    const std::string text = R"({"a": [1, 2.5, "x\u00e9\ud83d\ude00"], "b": {"c": null, "d": true}})";
    for (std::size_t n = 0; n < text.size(); ++n) CHECK_THROWS(parse(text.substr(0, n)), format_syntax);
}

// A safetensors file of a header and n bytes of data.
std::vector<std::byte> file_of(const std::string& header, std::size_t n_data) {
    std::vector<std::byte> out(8 + header.size() + n_data);
    const std::uint64_t n = header.size();
    std::memcpy(out.data(), &n, 8);
    std::memcpy(out.data() + 8, header.data(), header.size());
    return out;
}

std::vector<SafetensorsTensor> parse_file(const std::vector<std::byte>& bytes) {
    const std::uint64_t n = safetensors_header_length(
        std::span(bytes).first(std::min<std::size_t>(8, bytes.size())), bytes.size());
    return parse_safetensors({reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(n)},
                             bytes.size());
}

std::vector<SafetensorsTensor> one(const std::string& entry, std::size_t n_data) {
    return parse_file(file_of("{\"t\":" + entry + "}", n_data));
}

const std::string kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},)"
    R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}  )";

TEST(safetensors_reads_tensors_in_data_order) {
    const auto tensors = parse_file(file_of(kTwo, 28));
    CHECK_EQ(tensors.size(), 2);
    CHECK_EQ(tensors[0].name, "a");
    CHECK(tensors[0].dtype == DType::F32);
    CHECK_EQ(tensors[0].shape.size(), 2);
    CHECK_EQ(tensors[1].offset, 8 + kTwo.size() + 24);
    CHECK_EQ(parse_file(file_of("{}", 0)).size(), 0);
    CHECK_EQ(one(R"({"dtype":"BOOL","shape":[],"data_offsets":[0,1]})", 1).size(), 1);
    CHECK_EQ(one(R"({"dtype":"F32","shape":[0,5],"data_offsets":[0,0]})", 0).size(), 1);
}

TEST(safetensors_refuses_bad_lengths) {
    const auto length = [](std::uint64_t n, std::uint64_t file_size) {
        std::byte first8[8];
        std::memcpy(first8, &n, 8);
        return safetensors_header_length(first8, file_size);
    };
    CHECK_THROWS(parse_file({}), format_truncated);
    CHECK_THROWS(parse_file(std::vector<std::byte>(7)), format_truncated);
    CHECK_THROWS(parse_file(std::vector<std::byte>(8)), format_magic);
    CHECK_THROWS(length(~std::uint64_t{0}, 100), format_limit);
    CHECK_THROWS(length(100'000'001, 200'000'000), format_limit);
    CHECK_THROWS(length(93, 100), format_truncated);
    CHECK_EQ(length(92, 100), 92);
}

TEST(safetensors_refuses_bad_headers) {
    CHECK_THROWS(parse_file(file_of(" {}", 0)), format_magic);
    CHECK_THROWS(parse_file(file_of("[]", 0)), format_magic);
    CHECK_THROWS(parse_file(file_of("{", 0)), format_syntax);
    CHECK_THROWS(parse_file(file_of("{\"\xFF\":1}", 0)), format_syntax);
    CHECK_THROWS(parse_file(file_of(R"({"__metadata__":{"a":1}})", 0)), format_type);
    CHECK_THROWS(parse_file(file_of(R"({"__metadata__":{"a":[[[[1]]]]}})", 0)), format_limit);
    CHECK_THROWS(one("[]", 0), format_type);
    CHECK_THROWS(one(R"({"dtype":"F32","shape":[1]})", 4), format_missing);
    CHECK_THROWS(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", 4), format_value);
    CHECK_THROWS(one(R"({"dtype":"F3","shape":[1],"data_offsets":[0,4]})", 4), format_type);
    CHECK_THROWS(parse_file(file_of(R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)),
                 format_value);
}

TEST(safetensors_refuses_bad_offsets) {
    const auto check = [](const std::string& offsets, std::size_t n_data) {
        return one(R"({"dtype":"F32","shape":[2],"data_offsets":)" + offsets + "}", n_data);
    };
    CHECK_EQ(check("[0,8]", 8).size(), 1);
    CHECK_THROWS(check("[8,0]", 8), format_offset);
    CHECK_THROWS(check("[0]", 8), format_offset);
    CHECK_THROWS(check("[0,8,9]", 8), format_offset);
    CHECK_THROWS(check("[0,7]", 8), format_shape);
    CHECK_THROWS(check("[4,12]", 12), format_offset);
    CHECK_THROWS(check("[0,8]", 7), format_truncated);
    CHECK_THROWS(check("[0,8]", 9), format_offset);
    for (const char* bad : {"[0,8e0]", "[0,8.0]", "[-0,8]", "[\"0\",8]", "[0,9223372036854775808]"})
        CHECK_THROWS(check(bad, 8), format_type);
    CHECK_THROWS(check("[-8,0]", 8), format_value);
}

TEST(safetensors_refuses_overlaps_holes_and_duplicates) {
    const auto two = [](const std::string& a, const std::string& b, std::size_t n_data,
                        const char* name = "u") {
        const std::string head = R"({"dtype":"F32","shape":[2],"data_offsets":)";
        return parse_file(file_of("{\"t\":" + head + a + "},\"" + name + "\":" + head + b + "}}", n_data));
    };
    CHECK_EQ(two("[0,8]", "[8,16]", 16).size(), 2);
    CHECK_THROWS(two("[0,8]", "[0,8]", 8), format_offset);
    CHECK_THROWS(two("[0,8]", "[4,12]", 12), format_offset);
    CHECK_THROWS(two("[0,8]", "[12,20]", 20), format_offset);
    CHECK_THROWS(two("[0,8]", "[8,16]", 16, "t"), format_duplicate);
}

TEST(safetensors_refuses_shapes_whose_size_wraps) {
    const auto check = [](const std::string& shape) {
        return one(R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,0]})", 0);
    };
    CHECK_THROWS(check("[4294967296,4294967296]"), format_overflow);
    CHECK_THROWS(check("[4611686018427387904]"), format_overflow);
    CHECK_THROWS(check("[1,1,1,1,1,1,1,1,1]"), format_shape);
    CHECK_THROWS(check("[-1]"), format_value);
    CHECK_THROWS(check("[1.0]"), format_type);
}

TEST(safetensors_truncated_anywhere_is_refused) {
    const std::vector<std::byte> bytes = file_of(kTwo, 28);
    for (std::size_t n = 0; n < bytes.size(); ++n)
        CHECK_THROWS(parse_file(scratch::prefix(bytes, n)), format_truncated);
}

TEST(safetensors_index_names_plain_files_only) {
    const auto index = [](const std::string& file) {
        return parse_safetensors_index(R"({"metadata":{},"weight_map":{"t":)" + json_quote(file) + "}}");
    };
    const WeightIndex good = index("model-00001-of-00002.safetensors");
    CHECK_EQ(good.files.size(), 1);
    CHECK_EQ(good.tensors[0].first, "t");
    for (const char* bad :
         {"../x.safetensors", "/etc/passwd", "C:\\x.safetensors", "\\\\srv\\x.safetensors", "con", "",
          ".hidden.safetensors", "a b.safetensors", "a/b.safetensors", "pytorch_model.bin"})
        CHECK_THROWS(index(bad), format_value);
    CHECK_THROWS(parse_safetensors_index("{}"), format_missing);
    CHECK_THROWS(parse_safetensors_index(R"({"weight_map":{"t":1}})"), format_type);
    CHECK_THROWS(parse_safetensors_index(R"({"weight_map":[]})"), format_type);
}

}  // namespace
