// sentencepiece 0.2.1 behind a few functions; the T5 rules around it (special tokens, decode) live in
// lib/tokenizer.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/spiece.h"

namespace neox {

// Immutable and thread-safe.
class Tokenizer {
public:
    // The longest text that is taken, in bytes; sentencepiece needs about 40 bytes of memory for each.
    static constexpr std::size_t kLongestText = std::size_t{64} << 20;

    // Validates the model proto with our own reader before sentencepiece sees it. Throws a format code.
    explicit Tokenizer(std::span<const std::byte> spiece_model);
    ~Tokenizer();

    std::int32_t size() const;
    const std::string& piece(std::int32_t id) const;  // id in [0, size()), else ERR_NEOX_INVALID_ARGUMENT
    PieceType type(std::int32_t id) const;
    // The id of a piece, or that of the unknown piece.
    std::int32_t id(std::string_view piece) const;
    // Ids of UTF-8 text by the best unigram segmentation, no special tokens recognised or added. Invalid
    // UTF-8 is normalised as sentencepiece does (U+FFFD). ERR_NEOX_INVALID_ARGUMENT when the text is longer
    // than kLongestText.
    std::vector<std::int32_t> encode(std::string_view text) const;
    // The pieces of text; a run that the vocabulary cannot spell is one piece, its own normalised text.
    std::vector<std::string> tokenize(std::string_view text) const;

    struct Flags {
        bool add_dummy_prefix, remove_extra_whitespaces, byte_fallback;
        bool has_denormalizer;
        std::string unk_surface;  // what the unknown piece decodes to
    };
    const Flags& flags() const;

    // The same model with add_dummy_prefix off, as Hugging Face's `legacy: false` loads it.
    Tokenizer without_dummy_prefix() const;
    Tokenizer(Tokenizer&&) noexcept;

private:
    struct Impl;
    explicit Tokenizer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace neox
