#include "tokenizer/tokenizer.h"

#include <string>
#include <vector>

#include "check.h"

namespace {

using neox::PieceType;
using neox::SpieceModel;
using neox::Tokenizer;

// rinna's layout in small: byte fallback, no dummy prefix, whitespace kept, pad 0, unk 1, bos 2, eos 3.
SpieceModel small_model(bool byte_fallback = true) {
    SpieceModel model;
    const auto add = [&](const std::string& text, float score, PieceType type) {
        model.pieces.push_back({text, score, type});
    };
    add("[PAD]", 0, PieceType::control);
    add("[UNK]", 0, PieceType::unknown);
    add("<s>", 0, PieceType::control);
    add("</s>", 0, PieceType::control);
    add("<NL>", 0, PieceType::user_defined);
    if (byte_fallback) {
        const char* digits = "0123456789ABCDEF";
        for (int byte = 0; byte < 256; ++byte) {
            add(std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">", 0, PieceType::byte);
        }
    }
    add("\u2581", -2, PieceType::normal);
    add("a", -3, PieceType::normal);
    add("b", -3.5f, PieceType::normal);
    add("ab", -4, PieceType::normal);
    add("\u2581a", -4.5f, PieceType::normal);
    add("\u732B", -5, PieceType::normal);
    model.byte_fallback = byte_fallback;
    model.unk_id = 1;
    model.bos_id = 2;
    model.eos_id = 3;
    model.pad_id = 0;
    model.unk_piece = "[UNK]";
    model.pad_piece = "[PAD]";
    model.normalizer.name = "identity";
    model.normalizer.add_dummy_prefix = false;
    model.normalizer.remove_extra_whitespaces = false;
    return model;
}

Tokenizer tokenizer_of(const SpieceModel& model) { return Tokenizer(neox::write_spiece(model)); }

std::string joined(const std::vector<std::string>& pieces) {
    std::string all;
    for (const std::string& piece : pieces) all += (all.empty() ? "" : "|") + piece;
    return all;
}

TEST(tokenizer_segments_as_the_unigram_model_says) {
    const Tokenizer tokenizer = tokenizer_of(small_model());
    CHECK_EQ(tokenizer.size(), 5 + 256 + 6);
    CHECK_EQ(joined(tokenizer.tokenize("ab a  \u732B<NL>b ")),
             "ab|\u2581a|\u2581|\u2581|\u732B|<NL>|b|\u2581");
    CHECK_EQ(joined(tokenizer.tokenize("\u3042</s>")), "<0xE3>|<0x81>|<0x82>|<0x3C>|<0x2F>|<0x73>|<0x3E>");
    CHECK(tokenizer.tokenize("").empty());
    const std::vector<std::int32_t> ids = tokenizer.encode("a\nb");
    CHECK_EQ(ids.size(), 3u);
    CHECK_EQ(tokenizer.piece(ids[1]), "<0x0A>");
    CHECK(tokenizer.type(ids[1]) == PieceType::byte);
}

TEST(tokenizer_keeps_nul_and_replaces_broken_utf8) {
    const Tokenizer tokenizer = tokenizer_of(small_model());
    CHECK_EQ(joined(tokenizer.tokenize(std::string("a\0b", 3))), "a|<0x00>|b");
    CHECK_EQ(joined(tokenizer.tokenize("a\xE3\x81")), "a|<0xEF>|<0xBF>|<0xBD>|<0xEF>|<0xBF>|<0xBD>");
}

TEST(tokenizer_without_byte_fallback_merges_what_it_cannot_spell) {
    const Tokenizer tokenizer = tokenizer_of(small_model(false));
    CHECK_EQ(joined(tokenizer.tokenize("axyzb")), "a|xyz|b");
    const std::vector<std::int32_t> ids = tokenizer.encode("axyzb");
    CHECK_EQ(ids.size(), 3u);
    CHECK_EQ(ids[1], 1);
}

TEST(tokenizer_looks_pieces_up) {
    const Tokenizer tokenizer = tokenizer_of(small_model());
    CHECK_EQ(tokenizer.id("</s>"), 3);
    CHECK_EQ(tokenizer.id("nothing like it"), 1);
    CHECK_EQ(tokenizer.id(""), 1);
    CHECK(tokenizer.type(4) == PieceType::user_defined);
    CHECK_THROWS(tokenizer.piece(-1), invalid_argument);
    CHECK_THROWS(tokenizer.type(tokenizer.size()), invalid_argument);
    CHECK_THROWS(tokenizer.encode(std::string(Tokenizer::kLongestText + 1, 'a')), invalid_argument);
}

TEST(tokenizer_tells_and_drops_the_dummy_prefix) {
    SpieceModel model = small_model();
    model.normalizer.add_dummy_prefix = true;
    const Tokenizer with = tokenizer_of(model);
    CHECK(with.flags().add_dummy_prefix);
    CHECK(with.flags().byte_fallback);
    CHECK(!with.flags().has_denormalizer);
    CHECK_EQ(with.flags().unk_surface, " \u2047 ");
    CHECK_EQ(joined(with.tokenize("ab")), "\u2581|ab");
    const Tokenizer without = with.without_dummy_prefix();
    CHECK(!without.flags().add_dummy_prefix);
    CHECK_EQ(joined(without.tokenize("ab  a")), "ab|\u2581|\u2581a");
    CHECK_EQ(joined(with.tokenize("ab")), "\u2581|ab");
}

TEST(tokenizer_has_a_denormalizer_only_where_that_has_rules) {
    SpieceModel model = small_model();
    model.denormalizer.emplace();
    const Tokenizer tokenizer = tokenizer_of(model);
    CHECK(!tokenizer.flags().has_denormalizer);
    CHECK_EQ(joined(tokenizer.tokenize("ab")), "ab");
}

TEST(tokenizer_joins_a_long_run_of_unknown_characters) {
    const Tokenizer tokenizer = tokenizer_of(small_model(false));
    std::string text = "a";
    for (int i = 0; i < 100'000; ++i) text += "xyz";
    const std::vector<std::string> pieces = tokenizer.tokenize(text + "b");
    CHECK_EQ(pieces.size(), 3u);
    CHECK_EQ(pieces[1].size(), 300'000u);
    CHECK_EQ(tokenizer.encode(text).size(), 2u);
}

TEST(tokenizer_refuses_a_broken_model_before_sentencepiece_sees_it) {
    std::vector<std::byte> bytes = neox::write_spiece(small_model());
    for (std::size_t cut = 1; cut < 40; ++cut) {
        const std::string code =
            neox_check::code_thrown_by([&] { Tokenizer(std::span(bytes).first(bytes.size() - cut)); });
        CHECK(code == "no error" || code.starts_with("ERR_NEOX_FORMAT_"));
    }
    CHECK_THROWS(Tokenizer(std::span<const std::byte>()), format_missing);
    SpieceModel twice = small_model();
    twice.pieces.push_back(twice.pieces.back());
    CHECK(neox_check::code_thrown_by([&] { tokenizer_of(twice); }).starts_with("ERR_NEOX_FORMAT_"));
}

}  // namespace
