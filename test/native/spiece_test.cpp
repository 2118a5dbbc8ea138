// The tokenizer's message: what sentencepiece would believe blindly is refused here first.
#include "checkpoint/spiece.h"

#include <cstring>
#include <limits>

#include "check.h"
#include "checkpoint/charsmap.h"
#include "scratch.h"

namespace {

using namespace neox;

SpieceModel small_model() {
    SpieceModel model;
    model.pieces = {{"[PAD]", 0.0f, PieceType::control},
                    {"[UNK]", 0.0f, PieceType::unknown},
                    {"<s>", 0.0f, PieceType::control},
                    {"</s>", 0.0f, PieceType::control},
                    {"\xE7\x8C\xAB", -1.5f},
                    {"a", -2.0f}};
    model.pad_id = 0, model.unk_id = 1, model.bos_id = 2, model.eos_id = 3;
    model.unk_piece = "[UNK]", model.pad_piece = "[PAD]";
    model.normalizer.name = "identity";
    model.normalizer.add_dummy_prefix = false;
    return model;
}

void add_bytes(SpieceModel& model) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    model.byte_fallback = true;
    for (std::size_t b = 0; b < 256; ++b)
        model.pieces.push_back(
            {std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">", 0.0f, PieceType::byte});
}

template <class Change> void validate_with(Change change) {
    SpieceModel model = small_model();
    change(model);
    validate_spiece(model);
}

TEST(spiece_round_trips) {
    SpieceModel model = small_model();
    add_bytes(model);
    model.normalizer.charsmap.assign(10, std::byte{7});
    model.denormalizer.emplace().name = "d";
    const SpieceModel read = parse_spiece(write_spiece(model));
    CHECK_EQ(read.pieces.size(), model.pieces.size());
    CHECK_EQ(read.pieces[4].text, "\xE7\x8C\xAB");
    CHECK_EQ(read.pieces[4].score, -1.5f);
    CHECK(read.pieces[1].type == PieceType::unknown);
    CHECK(read.byte_fallback);
    CHECK_EQ(read.pad_id, 0);
    CHECK_EQ(read.pad_piece, "[PAD]");
    CHECK(!read.normalizer.add_dummy_prefix);
    CHECK(read.normalizer.remove_extra_whitespaces);
    CHECK(read.normalizer.charsmap == model.normalizer.charsmap);
    CHECK_EQ(read.denormalizer->name, "d");
}

TEST(spiece_without_specs_has_the_library_defaults) {
    const SpieceModel read = parse_spiece({});
    CHECK_EQ(read.unk_id, 0);
    CHECK_EQ(read.bos_id, 1);
    CHECK_EQ(read.eos_id, 2);
    CHECK_EQ(read.pad_id, -1);
    CHECK_EQ(read.model_type, kSpieceUnigram);
    CHECK(read.normalizer.add_dummy_prefix && read.normalizer.remove_extra_whitespaces &&
          !read.byte_fallback);
}

TEST(spiece_appended_pieces_keep_every_byte) {
    const std::vector<std::byte> bytes = write_spiece(small_model());
    const std::vector<SpiecePiece> more = {{"[PAD6]", 0.0f, PieceType::unused}, {"b", -3.0f}};
    const std::vector<std::byte> grown = append_pieces(bytes, more);
    CHECK(scratch::prefix(grown, bytes.size()) == bytes);
    const SpieceModel read = parse_spiece(grown);
    CHECK_EQ(read.pieces.size(), 8);
    CHECK_EQ(read.pieces[6].text, "[PAD6]");
    CHECK(read.pieces[6].type == PieceType::unused);
    validate_spiece(read);
}

TEST(spiece_refuses_bad_encodings) {
    const auto check = [](std::vector<int> values) {
        std::vector<std::byte> bytes;
        for (const int v : values) bytes.push_back(static_cast<std::byte>(v));
        bytes.shrink_to_fit();
        return parse_spiece(bytes);
    };
    CHECK_THROWS(check({0x80}), format_truncated);  // a varint that goes on
    CHECK_THROWS(check({0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}),
                 format_syntax);                                                                 // 11 bytes
    CHECK_THROWS(check({0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}), format_syntax);  // 65 bits
    CHECK_THROWS(check({0x0A, 5, 0}), format_truncated);  // longer than the rest
    CHECK_THROWS(check({0x0A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}), format_truncated);
    CHECK_THROWS(check({0x0B}), format_syntax);             // a group
    CHECK_THROWS(check({0x0E}), format_syntax);             // wire type 6
    CHECK_THROWS(check({0x00, 0}), format_syntax);          // field 0
    CHECK_THROWS(check({0x08, 1}), format_type);            // pieces as a number
    CHECK_THROWS(check({0x0A, 2, 0x18, 7}), format_value);  // piece type 7
    CHECK_THROWS(check({0x0A, 2, 0x10, 1}), format_type);   // score as a varint
    CHECK_THROWS(check({0x12, 6, 0x40 + 0x80, 2, 255, 255, 255, 255}), format_truncated);
    CHECK_EQ(check({0xF8, 0x7F, 1, 0xF9, 0x7F, 1, 2, 3, 4, 5, 6, 7, 8}).pieces.size(), 0);  // unknown fields
}

TEST(spiece_truncated_anywhere_is_refused_or_shorter) {
    SpieceModel model = small_model();
    model.denormalizer.emplace();
    const std::vector<std::byte> bytes = write_spiece(model);
    std::size_t n_refused = 0;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        // A cut between two fields leaves a message that is whole.
        const std::string code = neox_check::code_thrown_by([&] { parse_spiece(scratch::prefix(bytes, n)); });
        if (code == "ERR_NEOX_FORMAT_TRUNCATED")
            ++n_refused;
        else
            CHECK_EQ(code, "no error");
    }
    CHECK_EQ(n_refused, bytes.size() - 9);  // six pieces and three specs begin at whole messages
}

TEST(spiece_refuses_bad_pieces) {
    validate_with([](SpieceModel&) {});
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces.clear(); }), format_missing);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[5].text = ""; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[5].text = std::string("a\0", 2); }),
                 format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[5].text = "\xFF"; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[5].text = std::string(1025, 'x'); }),
                 format_limit);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[5].text = "<s>"; }), format_duplicate);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity(), 1e30f})
        CHECK_THROWS(validate_with([&](SpieceModel& m) { m.pieces[5].score = bad; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[2].type = PieceType::unknown; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces[1].type = PieceType::control; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.pieces.resize(4); }), format_missing);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.model_type = 2; }), unsupported);
}

TEST(spiece_refuses_bad_ids) {
    for (const std::int32_t bad : {-2, 6, 1 << 30}) {
        CHECK_THROWS(validate_with([&](SpieceModel& m) { m.bos_id = bad; }), format_value);
        CHECK_THROWS(validate_with([&](SpieceModel& m) { m.unk_id = bad; }), format_value);
        CHECK_THROWS(validate_with([&](SpieceModel& m) { m.pad_id = bad; }), format_value);
    }
}

TEST(spiece_byte_pieces_are_all_or_none) {
    validate_with(add_bytes);
    CHECK_THROWS(validate_with([](SpieceModel& m) { m.byte_fallback = true; }), format_missing);
    CHECK_THROWS(validate_with([](SpieceModel& m) { add_bytes(m), m.byte_fallback = false; }), format_value);
    CHECK_THROWS(validate_with([](SpieceModel& m) { add_bytes(m), m.pieces.pop_back(); }), format_missing);
    for (const char* bad : {"<0x-1>", "<0xZZ>", "<0xff>", "<0x1>", "<0x001>", "0x00"})
        CHECK_THROWS(validate_with([&](SpieceModel& m) { add_bytes(m), m.pieces.back().text = bad; }),
                     format_value);
    CHECK(!byte_piece_value("<0xAf>"));
    CHECK_EQ(*byte_piece_value("<0xAF>"), 0xAF);
}

TEST(spiece_nested_symbols_are_bounded) {
    const auto nested = [](std::size_t n) {
        return [n](SpieceModel& m) {
            for (std::size_t i = 1; i <= n; ++i)
                m.pieces.push_back({std::string(i, '#'), 0.0f, PieceType::user_defined});
        };
    };
    validate_with(nested(64));
    CHECK_THROWS(validate_with(nested(65)), format_limit);
}

// A character map of n_units zeroed units, then the replacements.
struct Map {
    std::vector<std::uint32_t> units =
        std::vector<std::uint32_t>(512, 1u << 31);  // leaves, which are no child
    std::string replacements = std::string("b\0", 2);

    void put(std::uint32_t index, std::uint32_t offset, std::uint32_t label, bool ends_key) {
        units[index] = offset << 10 | (ends_key ? 1u << 8 : 0u) | label;
    }
    std::vector<std::byte> blob() const {
        const auto n = static_cast<std::uint32_t>(units.size() * 4);
        std::vector<std::byte> out(4 + n + replacements.size());
        std::memcpy(out.data(), &n, 4);
        std::memcpy(out.data() + 4, units.data(), n);
        std::memcpy(out.data() + 4 + n, replacements.data(), replacements.size());
        return out;
    }
};

// One rule: "a" -> "b". The root leads to base 256, its child "a" is at 256 ^ 'a', and the leaf at that
// child's base.
Map one_rule() {
    Map map;
    map.put(0, 256, 0, false);
    map.put(256 ^ 'a', (256 ^ 'a') ^ 1, 'a', true);
    map.units[1] = 0x80000000u;  // leaf: replacement at 0
    return map;
}

void check_map(const std::vector<std::byte>& blob) { validate_charsmap(blob, "map"); }

TEST(charsmap_of_one_rule_is_accepted) {
    check_map({});
    check_map(one_rule().blob());
}

TEST(charsmap_refuses_bad_sizes) {
    const std::vector<std::byte> blob = one_rule().blob();
    CHECK_THROWS(check_map(scratch::prefix(blob, 3)), format_value);
    CHECK_THROWS(check_map(scratch::prefix(blob, 4)), format_value);
    for (std::uint32_t n : {0u, 2047u, 2049u, 2050u, 2051u, 2052u, 1023u, 0xFFFFFFFFu}) {
        std::vector<std::byte> bad = blob;
        std::memcpy(bad.data(), &n, 4);
        CHECK_THROWS(check_map(bad), format_value);
    }
    for (std::size_t n = 1; n < blob.size(); ++n)
        CHECK_THROWS(check_map(scratch::prefix(blob, n)), format_value);
}

TEST(charsmap_refuses_units_that_lead_out) {
    Map map = one_rule();
    map.put(0, 512, 0, false);
    CHECK_THROWS(check_map(map.blob()), format_value);
    map = one_rule();
    map.units[0] |= 0x80000000u;  // the root's bit 31 must not hide its offset
    map.units[0] |= 0x1FF00000u;
    CHECK_THROWS(check_map(map.blob()), format_value);
    map = one_rule();
    map.put(256 ^ 'a', 1u << 20, 'a', true);
    CHECK_THROWS(check_map(map.blob()), format_value);
}

TEST(charsmap_refuses_replacements_that_lead_out) {
    Map map = one_rule();
    map.units[1] = 0x80000002u;
    CHECK_THROWS(check_map(map.blob()), format_value);
    map = one_rule();
    map.replacements = "b";
    CHECK_THROWS(check_map(map.blob()), format_value);
    map.replacements = std::string(1025, 'b') + std::string(1, '\0');
    CHECK_THROWS(check_map(map.blob()), format_value);
}

TEST(charsmap_refuses_cycles_and_deep_nesting) {
    Map map = one_rule();
    map.put(256 ^ 'a', 'a', 'a', false);  // back to base 256
    CHECK_THROWS(check_map(map.blob()), format_value);
    for (const std::uint32_t n : {32u, 33u}) {
        // "c", "cc", "ccc" ...: the base of depth k is 256 * (k + 1) and holds the child "c" alone.
        map = Map();
        map.units.assign(256 * (n + 3), 1u << 31);
        map.put(0, 256, 0, false);
        for (std::uint32_t k = 0; k < n; ++k) {
            const std::uint32_t unit = 256 * (k + 1) ^ 'c', base = 256 * (k + 2);
            map.put(unit, unit ^ base, 'c', true);
            map.units[base] = 0x80000000u;
        }
        if (n == 32)
            check_map(map.blob());
        else
            CHECK_THROWS(check_map(map.blob()), format_value);
    }
}

}  // namespace
