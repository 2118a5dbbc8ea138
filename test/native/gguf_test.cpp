// The GGUF reader refuses every way in which a header can be wrong, and reads back what the writer wrote.
#include "gguf/gguf.h"

#include <cstring>

#include "check.h"
#include "scratch.h"

namespace {

using namespace neox;

// Bytes of a header, field by field.
struct Bytes {
    std::vector<std::byte> out;

    template <class T> Bytes& n(T v) {
        const auto* p = reinterpret_cast<const std::byte*>(&v);
        out.insert(out.end(), p, p + sizeof v);
        return *this;
    }
    Bytes& raw(const std::string& v) {
        const auto b = as_bytes(v);
        out.insert(out.end(), b.begin(), b.end());
        return *this;
    }
    Bytes& s(const std::string& v) { return n(std::uint64_t{v.size()}).raw(v); }
    Bytes& pad(std::size_t size) {
        out.resize(size);
        return *this;
    }
};

Bytes head(std::uint64_t n_tensors, std::uint64_t n_metadata, std::uint32_t version = 3) {
    return Bytes().raw("GGUF").n(version).n(n_tensors).n(n_metadata);
}

// One tensor of F32 unless said otherwise, followed by 256 bytes of data.
struct OneTensor {
    std::string name = "t";
    std::uint32_t n_dims = 1;
    std::vector<std::uint64_t> shape{8};
    std::int32_t type = 0;
    std::uint64_t offset = 0;
};

std::vector<std::byte> file_of(const std::vector<OneTensor>& tensors, std::size_t data = 256) {
    Bytes b = head(tensors.size(), 0);
    for (const OneTensor& t : tensors) {
        b.s(t.name).n(t.n_dims);
        for (const std::uint64_t dim : t.shape) b.n(dim);
        b.n(t.type).n(t.offset);
    }
    return b.pad((b.out.size() + 31) / 32 * 32 + data).out;
}

GgufFile parse(const std::vector<std::byte>& bytes) { return parse_gguf(bytes, bytes.size()).value(); }

// One metadata entry of the given type and payload.
std::vector<std::byte> entry(const std::string& key, std::uint32_t type, const Bytes& payload) {
    Bytes b = head(0, 1).s(key).n(type);
    b.out.insert(b.out.end(), payload.out.begin(), payload.out.end());
    return b.pad(b.out.size() + 64).out;
}

TEST(gguf_refuses_a_wrong_start) {
    CHECK_THROWS(parse({}), format_truncated);
    CHECK_THROWS(parse(Bytes().raw("GGU").out), format_truncated);
    CHECK_THROWS(parse(Bytes().raw("FUGG").pad(64).out), format_magic);
    CHECK_THROWS(parse(head(0, 0, 0).out), format_version);
    CHECK_THROWS(parse(head(0, 0, 1).out), format_version);
    CHECK_THROWS(parse(head(0, 0, 4).out), format_version);
    CHECK_THROWS(parse(head(0, 0, 0x03000000).out), format_version);
    CHECK_EQ(parse(head(0, 0, 2).out).version, 2);
    CHECK_EQ(parse(head(0, 0, 3).out).tensors.size(), 0);
}

TEST(gguf_refuses_counts_without_bytes_behind_them) {
    for (const std::uint64_t count :
         {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1} << 32, std::uint64_t{3}}) {
        CHECK_THROWS(parse(head(count, 0).pad(64).out), format_truncated);
        CHECK_THROWS(parse(head(0, count).pad(48).out), format_truncated);
    }
    CHECK_THROWS(parse(head(70000, 0).pad(70000 * 40).out), format_limit);
    CHECK_THROWS(parse(head(0, 70000).pad(70000 * 40).out), format_limit);
}

TEST(gguf_refuses_bad_keys) {
    CHECK_THROWS(parse(head(0, 1).n(~std::uint64_t{0}).pad(64).out), format_truncated);
    CHECK_THROWS(parse(head(0, 1).n(std::uint64_t{41}).pad(72).out), format_truncated);
    CHECK_THROWS(parse(entry("", 4, Bytes().n(1u))), format_value);
    CHECK_THROWS(parse(entry(std::string("a\0b", 3), 4, Bytes().n(1u))), format_value);
    CHECK_THROWS(parse(entry("\xFF", 4, Bytes().n(1u))), format_value);
    CHECK_THROWS(parse(entry(std::string(70000, 'k'), 4, Bytes().n(1u))), format_limit);
    CHECK_THROWS(parse(head(0, 2).s("k").n(4u).n(1u).s("k").n(4u).n(2u).pad(128).out), format_duplicate);
}

TEST(gguf_refuses_bad_values) {
    CHECK_THROWS(parse(entry("k", 13, Bytes())), format_type);
    CHECK_THROWS(parse(entry("k", ~0u, Bytes())), format_type);
    CHECK_THROWS(parse(entry("k", 7, Bytes().n(std::uint8_t{7}))), format_value);
    CHECK_THROWS(parse(entry("k", 8, Bytes().n(std::uint64_t{1} << 40))), format_truncated);
    const auto array = [](std::uint32_t element, std::uint64_t count) { return Bytes().n(element).n(count); };
    CHECK_THROWS(parse(entry("k", 9, array(9, 1))), format_type);
    CHECK_THROWS(parse(entry("k", 9, array(13, 1))), format_type);
    CHECK_THROWS(parse(entry("k", 9, array(0, std::uint64_t{1} << 63))), format_truncated);
    CHECK_THROWS(parse(entry("k", 9, array(0, std::uint64_t{1} << 32))), format_truncated);
    CHECK_THROWS(parse(entry("k", 9, array(0, 65))), format_truncated);
    CHECK_THROWS(parse(entry("k", 9, array(10, (std::uint64_t{1} << 61) + 1))), format_truncated);
    CHECK_THROWS(parse(entry("k", 9, array(8, 1).n(std::uint64_t{1} << 50))), format_truncated);
    CHECK_THROWS(parse(entry("k", 9, array(7, 2).n(std::uint16_t{0x0201}))), format_value);
    CHECK_EQ(parse(entry("k", 9, array(8, 0))).metadata.size(), 1);
}

TEST(gguf_refuses_bad_alignments) {
    const auto with = [](std::uint32_t type, Bytes payload) {
        return parse(entry("general.alignment", type, payload));
    };
    for (const std::uint32_t bad : {0u, 3u, 1u << 31, 1u << 21})
        CHECK_THROWS(with(4, Bytes().n(bad)), format_value);
    CHECK_THROWS(with(10, Bytes().n(std::uint64_t{1} << 62)), format_value);
    CHECK_THROWS(with(5, Bytes().n(-32)), format_value);
    CHECK_THROWS(with(8, Bytes().s("32")), format_type);
    CHECK_EQ(with(4, Bytes().n(64u)).alignment, 64);
}

TEST(gguf_refuses_bad_tensors) {
    const auto check = [](OneTensor t) { return parse(file_of({t})); };
    const GgufFile good = check({});
    CHECK_EQ(good.tensors[0].n_bytes, 32);
    CHECK_THROWS(check({.name = std::string(65, 'n')}), format_limit);
    CHECK_THROWS(check({.name = "\xC0"}), format_value);
    CHECK_THROWS(check({.name = ""}), format_value);
    CHECK_THROWS(parse(file_of({{}, {.offset = 32}})), format_duplicate);
    CHECK_THROWS(check({.n_dims = 0, .shape = {}}), format_shape);
    CHECK_THROWS(check({.n_dims = 5, .shape = {1, 1, 1, 1, 1}}), format_shape);
    CHECK_THROWS(check({.n_dims = ~0u}), format_shape);
    CHECK_THROWS(check({.shape = {0}}), format_shape);
    CHECK_THROWS(check({.type = -1}), format_type);
    CHECK_THROWS(check({.type = 4}), format_type);
    CHECK_THROWS(check({.type = 1000}), format_type);
    CHECK_THROWS(check({.type = 16}), unsupported);
    CHECK_THROWS(check({.shape = {48}, .type = 2}), format_shape);
}

TEST(gguf_refuses_shapes_whose_size_wraps) {
    const std::uint64_t big = std::uint64_t{1} << 32;
    const auto check = [](std::vector<std::uint64_t> shape) {
        return parse(file_of({{.n_dims = static_cast<std::uint32_t>(shape.size()), .shape = shape}}));
    };
    CHECK_THROWS(check({big, big}), format_overflow);
    CHECK_THROWS(check({big * 2, big / 2}), format_overflow);
    CHECK_THROWS(check({1, big, big}), format_overflow);
    CHECK_THROWS(check({(std::uint64_t{1} << 62) - 1}), format_overflow);
    CHECK_THROWS(check({std::uint64_t{1} << 61}), format_truncated);
    CHECK_THROWS(check({std::uint64_t{1} << 62}), format_overflow);
    CHECK_THROWS(check({~std::uint64_t{0}}), format_overflow);
}

TEST(gguf_refuses_bad_offsets) {
    const auto check = [](std::uint64_t offset) { return parse(file_of({{.offset = offset}})); };
    CHECK_THROWS(check(4), format_offset);
    CHECK_THROWS(check(~std::uint64_t{0} - 31), format_overflow);
    CHECK_THROWS(check(256), format_truncated);
    CHECK_THROWS(parse(file_of({{.name = "a"}, {.name = "b", .offset = 0}})), format_offset);
    CHECK_THROWS(parse(file_of({{.name = "a", .offset = 64}, {.name = "b", .offset = 32}})), format_offset);
    const GgufFile gap = parse(file_of({{.name = "a"}, {.name = "b", .offset = 64}}));
    CHECK_EQ(gap.tensors[1].offset, 64);
    CHECK_THROWS(parse(file_of({{}}, 31)), format_truncated);
    CHECK_EQ(parse(file_of({{}}, 32)).tensors.size(), 1);
}

// A small file with every kind of value, for round trips and truncation.
GgufFile sample() {
    GgufFile file;
    file.set("general.architecture", GgufValue::string("gptneox"));
    file.set("k.u32", GgufValue::u32(7));
    file.set("k.f32", GgufValue::f32(0.1f));
    file.set("k.bool", GgufValue::boolean(true));
    file.set("k.i8", {GgufType::i8, std::int64_t{-5}});
    file.set("k.i64", {GgufType::i64, std::int64_t{-1} << 40});
    file.set("k.u16", {GgufType::u16, std::uint64_t{65535}});
    file.set("k.f64", {GgufType::f64, 0.1});
    file.set("k.strings", GgufValue::strings({"a", "", "\xE7\x8C\xAB"}));
    file.set("k.ints", GgufValue::i32_array(std::vector<std::int32_t>{1, -2, 3}));
    file.set("k.floats", GgufValue::f32_array(std::vector<float>{1.5f, -2.5f}));
    file.set("k.bytes", GgufValue::u8_array(as_bytes("xyz")));
    Tensor a, b;
    a.name = "a";
    a.n_dims = 2;
    a.shape[0] = 32, a.shape[1] = 3;
    a.dtype = DType::Q8_0;
    b.name = "b";
    b.n_dims = 1;
    b.shape[0] = 5;
    file.tensors = {a, b};
    return file;
}

std::vector<std::byte> sample_bytes() {
    GgufFile file = sample();
    std::vector<std::byte> bytes = encode_gguf_header(file);
    bytes.resize(file.data_offset + file.tensors.back().offset + file.tensors.back().n_bytes);
    return bytes;
}

TEST(gguf_header_round_trips) {
    const std::vector<std::byte> bytes = sample_bytes();
    GgufFile read = parse(bytes);
    CHECK_EQ(read.metadata.size(), 12);
    CHECK_EQ(read.get_u32("k.u32"), 7);
    CHECK_EQ(read.get_f32("k.f32"), 0.1f);
    CHECK_EQ(read.get_bool("k.bool"), true);
    CHECK_EQ(read.get_u32("k.u16"), 65535);
    CHECK_EQ(read.get_f32("k.f64"), 0.1f);
    CHECK(read.find("k.ints")->as_i32_array() == std::vector<std::int32_t>({1, -2, 3}));
    CHECK(read.find("k.floats")->as_f32_array() == std::vector<float>({1.5f, -2.5f}));
    CHECK(!read.find("k.floats")->as_i32_array());
    CHECK_EQ(std::get<GgufArray>(read.find("k.strings")->value).strings[2], "\xE7\x8C\xAB");
    CHECK_EQ(read.tensors[1].offset, 128);
    GgufFile again = read;
    std::vector<std::byte> encoded = encode_gguf_header(again);
    encoded.resize(bytes.size());
    CHECK(encoded == bytes);
}

TEST(gguf_getters_name_wrong_types_and_values) {
    const GgufFile file = parse(sample_bytes());
    CHECK_THROWS(file.get_u32("absent"), format_missing);
    CHECK(!file.find_u32("absent"));
    CHECK_THROWS(file.get_u32("k.f32"), format_type);
    CHECK_THROWS(file.get_u32("k.i8"), format_value);
    CHECK_THROWS(file.get_f32("k.u32"), format_type);
    CHECK_THROWS(file.get_bool("k.u32"), format_type);
    CHECK_THROWS(file.get_string("k.strings"), format_type);
}

TEST(gguf_truncated_anywhere_is_refused) {
    const std::vector<std::byte> bytes = sample_bytes();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        const std::vector<std::byte> part = scratch::prefix(bytes, n);
        CHECK_THROWS(parse_gguf(part, n).value(), format_truncated);
    }
}

TEST(gguf_asks_for_more_bytes_only_while_the_header_goes_on) {
    GgufFile file = sample();
    const std::size_t header = encode_gguf_header(file).size();
    const std::vector<std::byte> bytes = sample_bytes();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        const bool complete = parse_gguf(scratch::prefix(bytes, n), bytes.size()).has_value();
        if (n >= header) CHECK(complete);
        if (n + 32 < header) CHECK(!complete);
    }
}

TEST(gguf_every_changed_byte_is_read_or_refused) {
    std::vector<std::byte> bytes = sample_bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (const std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xFF}}) {
            bytes[i] ^= flip;
            try {
                for (const Tensor& t : parse(bytes).tensors) CHECK(t.offset + t.n_bytes <= bytes.size());
            } catch (const Error& e) {
                CHECK(e.code() != ErrorCode::internal);
            }
            bytes[i] ^= flip;
        }
}

TEST(gguf_header_larger_than_the_first_read) {
    const scratch::Folder folder;
    GgufFile file;
    std::vector<std::string> tokens;
    for (int i = 0; i < 120000; ++i) tokens.push_back("token number " + std::to_string(i));
    file.set("tokens", GgufValue::strings(tokens));
    GgufWriter(folder / "m.gguf", file).commit();
    const GgufFile read = read_gguf(File(folder / "m.gguf"));
    CHECK(std::get<GgufArray>(read.find("tokens")->value).strings == tokens);
}

TEST(gguf_writer_places_and_pads_tensors) {
    const scratch::Folder folder;
    const std::string path = folder / "m.gguf";
    GgufWriter writer(path, sample());
    const std::vector<std::byte> a(102, std::byte{1}), b(20, std::byte{2});
    CHECK_THROWS(writer.commit(), internal);
    CHECK_THROWS(writer.write(1, 4, b), internal);
    writer.write(1, 0, b);
    writer.write(0, 2, std::span(a).subspan(2));
    writer.write(0, 0, std::span(a).first(2));
    writer.commit();
    const std::vector<std::byte> bytes = read_file(path, 10000);
    CHECK_EQ(bytes.size() % 32, 0);
    const GgufFile read = parse(bytes);
    std::vector<std::byte> data(160);
    std::memcpy(data.data(), a.data(), a.size());
    std::memcpy(data.data() + 128, b.data(), b.size());
    CHECK(std::vector<std::byte>(bytes.begin() + static_cast<std::ptrdiff_t>(read.data_offset),
                                 bytes.end()) == data);
}

}  // namespace
