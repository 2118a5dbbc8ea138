#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/utf8.h"
#include "checkpoint/charsmap.h"
#include "checkpoint/json.h"
#include "checkpoint/spiece.h"

namespace neox {
namespace {

constexpr std::size_t kLongestPiece =
    1024;                              // building the library's trie recurses once for each byte of a piece
constexpr float kLargestScore = 1e9f;  // sums over a long text stay finite
constexpr std::size_t kMostNestedSymbols = 64;  // the library's buffer of matches

// Shown in messages; a piece may be long.
std::string shown(const std::string& piece) { return json_quote(piece.size() > 40 ? "..." : piece); }

void check_text(const SpiecePiece& piece, std::size_t id) {
    if (piece.text.empty()) fail(ErrorCode::format_value, "Piece ", id, " of the tokenizer is empty.");
    if (piece.text.size() > kLongestPiece)
        fail(ErrorCode::format_limit, "Piece ", id, " of the tokenizer has ", piece.text.size(),
             " bytes; at most ", kLongestPiece, " are accepted.");
    if (piece.text.find('\0') != std::string::npos || !is_valid_utf8(piece.text))
        fail(ErrorCode::format_value, "Piece ", id, " of the tokenizer is not UTF-8 without NUL.");
    if (!std::isfinite(piece.score) || std::fabs(piece.score) > kLargestScore)
        fail(ErrorCode::format_value, "The score of piece ", id, " ", shown(piece.text), " is ", piece.score,
             ".");
}

void check_bytes(const SpieceModel& model) {
    std::array<bool, 256> found{};
    for (const SpiecePiece& piece : model.pieces) {
        if (piece.type != PieceType::byte) continue;
        if (!model.byte_fallback)
            fail(ErrorCode::format_value, "The tokenizer has the byte piece ", shown(piece.text),
                 ", but byte_fallback is off.");
        const auto value = byte_piece_value(piece.text);
        if (!value)
            fail(ErrorCode::format_value, "The byte piece ", shown(piece.text),
                 " is none of <0x00> to <0xFF>.");
        found[*value] = true;
    }
    const auto n_found = std::count(found.begin(), found.end(), true);
    if (model.byte_fallback && n_found != 256)
        fail(ErrorCode::format_missing, "The tokenizer has ", n_found,
             " of the 256 byte pieces that byte_fallback needs.");
}

// User-defined symbols that are prefixes of one another.
void check_nesting(const SpieceModel& model) {
    std::vector<std::string_view> symbols;
    for (const SpiecePiece& piece : model.pieces)
        if (piece.type == PieceType::user_defined) symbols.push_back(piece.text);
    std::sort(symbols.begin(), symbols.end());
    std::vector<std::string_view> chain;  // each a prefix of the next
    for (const std::string_view symbol : symbols) {
        while (!chain.empty() && !symbol.starts_with(chain.back())) chain.pop_back();
        chain.push_back(symbol);
        if (chain.size() > kMostNestedSymbols)
            fail(ErrorCode::format_limit, "More than ", kMostNestedSymbols,
                 " user-defined symbols of the tokenizer are prefixes of one another.");
    }
}

}  // namespace

std::optional<std::uint8_t> byte_piece_value(std::string_view piece) {
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
    unsigned value = 0;
    for (const char c : piece.substr(3, 2)) {
        if (c >= '0' && c <= '9')
            value = value * 16 + static_cast<unsigned>(c - '0');
        else if (c >= 'A' && c <= 'F')
            value = value * 16 + static_cast<unsigned>(c - 'A') + 10;
        else
            return std::nullopt;
    }
    return static_cast<std::uint8_t>(value);
}

void validate_spiece(const SpieceModel& model) {
    if (model.model_type != kSpieceUnigram)
        fail(ErrorCode::unsupported, "The tokenizer's model type is ", model.model_type,
             ", which is not supported; unigram (", kSpieceUnigram, ") is.");
    if (model.pieces.empty()) fail(ErrorCode::format_missing, "The tokenizer has no pieces.");
    if (model.pieces.size() > kSpieceMostPieces)
        fail(ErrorCode::format_limit, "The tokenizer has ", model.pieces.size(), " pieces; at most ",
             kSpieceMostPieces, " are accepted.");
    std::unordered_set<std::string_view> texts;
    std::size_t n_unknown = 0, n_normal = 0;
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
        const SpiecePiece& piece = model.pieces[id];
        check_text(piece, id);
        if (!texts.insert(piece.text).second)
            fail(ErrorCode::format_duplicate, "Piece ", shown(piece.text), " of the tokenizer occurs twice.");
        n_unknown += piece.type == PieceType::unknown;
        n_normal += piece.type == PieceType::normal;
    }
    if (n_unknown != 1)
        fail(ErrorCode::format_value, "The tokenizer has ", n_unknown,
             " unknown pieces; exactly one was expected.");
    if (n_normal == 0) fail(ErrorCode::format_missing, "The tokenizer has no normal piece.");
    check_bytes(model);
    check_nesting(model);
    for (const auto& [id, what] : {std::pair{model.unk_id, "unk_id"}, std::pair{model.bos_id, "bos_id"},
                                   std::pair{model.eos_id, "eos_id"}, std::pair{model.pad_id, "pad_id"}})
        if (id < -1 || (id >= 0 && static_cast<std::size_t>(id) >= model.pieces.size()))
            fail(ErrorCode::format_value, "The tokenizer's ", what, " is ", id, ", outside its ",
                 model.pieces.size(), " pieces.");
    validate_charsmap(model.normalizer.charsmap, "The tokenizer's character map");
    if (model.denormalizer)
        validate_charsmap(model.denormalizer->charsmap, "The tokenizer's denormalizer map");
}

}  // namespace neox
