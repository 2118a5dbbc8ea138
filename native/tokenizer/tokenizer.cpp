#include "tokenizer/tokenizer.h"

#include <sentencepiece_processor.h>

#include <utility>

#include "base/error.h"

namespace neox {
namespace {

// A ModelProto field 3 (normalizer_spec) with field 3 (add_dummy_prefix) false. Behind a message it overrides
// what the message says: protobuf merges repeated occurrences of a field that holds a message.
constexpr std::string_view kNoDummyPrefix{"\x1A\x02\x18\x00", 4};

void check(const sentencepiece::util::Status& status, ErrorCode code) {
    if (!status.ok()) fail(code, "sentencepiece: ", status.message());
}

absl::string_view checked_text(std::string_view text) {
    if (text.size() > Tokenizer::kLongestText) {
        fail(ErrorCode::invalid_argument, "The text has ", text.size(), " bytes; at most ",
             Tokenizer::kLongestText, " can be tokenized at once.");
    }
    return {text.data(), text.size()};
}

}  // namespace

struct Tokenizer::Impl {
    Flags flags;
    std::vector<SpiecePiece> pieces;
    sentencepiece::SentencePieceProcessor processor;

    void load(std::string_view proto) {
        sentencepiece::SetMinLogLevel(3);  // the core never prints
        check(processor.LoadFromSerializedProto({proto.data(), proto.size()}), ErrorCode::format_value);
    }
};

Tokenizer::Tokenizer(std::span<const std::byte> spiece_model) : impl_(std::make_unique<Impl>()) {
    SpieceModel model = parse_spiece(spiece_model);
    validate_spiece(model);
    impl_->load({reinterpret_cast<const char*>(spiece_model.data()), spiece_model.size()});
    // Without rules a denormalizer does nothing, and sentencepiece makes none.
    const bool denormalizes = model.denormalizer && !model.denormalizer->charsmap.empty();
    impl_->flags = {model.normalizer.add_dummy_prefix, model.normalizer.remove_extra_whitespaces,
                    model.byte_fallback, denormalizes, std::move(model.unk_surface)};
    impl_->pieces = std::move(model.pieces);
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::int32_t Tokenizer::size() const { return static_cast<std::int32_t>(impl_->pieces.size()); }

const std::string& Tokenizer::piece(std::int32_t id) const {
    if (id < 0 || id >= size()) {
        fail(ErrorCode::invalid_argument, "Piece id ", id, " is not in 0 to ", size() - 1, ".");
    }
    return impl_->pieces[static_cast<std::size_t>(id)].text;
}

PieceType Tokenizer::type(std::int32_t id) const {
    piece(id);  // checks the id
    return impl_->pieces[static_cast<std::size_t>(id)].type;
}

std::int32_t Tokenizer::id(std::string_view piece) const {
    return impl_->processor.PieceToId({piece.data(), piece.size()});
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
    std::vector<int> ids;
    check(impl_->processor.Encode(checked_text(text), &ids), ErrorCode::internal);
    return {ids.begin(), ids.end()};
}

std::vector<std::string> Tokenizer::tokenize(std::string_view text) const {
    std::vector<std::string> pieces;
    check(impl_->processor.Encode(checked_text(text), &pieces), ErrorCode::internal);
    return pieces;
}

const Tokenizer::Flags& Tokenizer::flags() const { return impl_->flags; }

Tokenizer Tokenizer::without_dummy_prefix() const {
    auto impl = std::make_unique<Impl>();
    impl->load(impl_->processor.serialized_model_proto().append(kNoDummyPrefix));
    impl->flags = impl_->flags;
    impl->flags.add_dummy_prefix = false;
    impl->pieces = impl_->pieces;
    return Tokenizer(std::move(impl));
}

}  // namespace neox
