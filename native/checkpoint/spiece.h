// spiece.model: sentencepiece's ModelProto, a protobuf message of fields (varint key = number * 8 + wire
// type):
//
//   1  piece (repeated message)   1 text, 2 score (float), 3 type
//   2  trainer_spec               3 model type, 24 whitespace as suffix, 35 byte fallback,
//                                 40-43 ids of unk, bos, eos, pad, 44 surface of unk, 45-48 pieces of the
//                                 four
//   3  normalizer_spec            1 name, 2 precompiled character map, 3 dummy prefix,
//                                 4 remove extra whitespace, 5 escape whitespace
//   5  denormalizer_spec          as 3
//
// Untrusted: the sentencepiece library believes much of what the message says, so a message passes
// parse_spiece and validate_spiece before the library sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace neox {

enum class PieceType : std::uint8_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

inline constexpr std::size_t kSpieceLargestFile = std::size_t{64} << 20;
inline constexpr std::size_t kSpieceMostPieces = 1'000'000;

struct SpiecePiece {
    std::string text;
    float score = 0.0f;
    PieceType type = PieceType::normal;
};

struct SpieceNormalizer {
    std::string name;                 // "nmt_nfkc", "identity"
    std::vector<std::byte> charsmap;  // u32 size of the trie, trie, replacements; empty: identity
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
};

inline constexpr std::int32_t kSpieceUnigram = 1;

// The defaults are sentencepiece's for a field that the message lacks.
struct SpieceModel {
    std::vector<SpiecePiece> pieces;  // the index is the id
    std::int32_t model_type = kSpieceUnigram;
    bool treat_whitespace_as_suffix = false;
    bool byte_fallback = false;
    std::int32_t unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;  // -1: none
    std::string unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
    std::string unk_surface = " \xE2\x81\x87 ";
    SpieceNormalizer normalizer;
    std::optional<SpieceNormalizer> denormalizer;
};

// Reads a message. Throws ERR_NEOX_FORMAT_TRUNCATED, _SYNTAX, _TYPE, _VALUE or _LIMIT.
SpieceModel parse_spiece(std::span<const std::byte> bytes);

// Throws unless sentencepiece 0.2.1 handles the model safely, and it is a unigram model: texts of 1 to 1,024
// bytes of UTF-8 without NUL, all different; finite scores; exactly one unknown piece, at least one normal
// one; the 256 byte pieces just when byte_fallback is set; ids in range; character maps that stay within
// their own bounds.
void validate_spiece(const SpieceModel& model);

// The message of a model; fields that SpieceModel does not hold are absent.
std::vector<std::byte> write_spiece(const SpieceModel& model);

// The message with more pieces at its end; every byte of the original stays as it is.
std::vector<std::byte> append_pieces(std::span<const std::byte> bytes, std::span<const SpiecePiece> pieces);

// The value of "<0x00>" to "<0xFF>", as sentencepiece spells them; nullopt for any other text.
std::optional<std::uint8_t> byte_piece_value(std::string_view piece);

}  // namespace neox
