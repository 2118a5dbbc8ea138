#include "tokenizer/tokenizer.h"

// SentencePieceProcessor's own parts instead of the class itself: it makes a message of every piece with its name
// and its surface, which costs more than finding the pieces does.
#include <normalizer.h>
#include <sentencepiece_model.pb.h>
#include <sentencepiece_processor.h>
#include <unigram_model.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace neox {
namespace {

void check(const sentencepiece::util::Status& status, ErrorCode code) {
    if (!status.ok()) fail(code, "sentencepiece: ", status.message());
}

void check_length(std::string_view text) {
    if (text.size() > Tokenizer::kLongestText) {
        fail(ErrorCode::invalid_argument, "The text has ", text.size(), " bytes; at most ",
             Tokenizer::kLongestText, " can be tokenized at once.");
    }
}

}  // namespace

struct Tokenizer::Impl {
    Flags flags;
    std::vector<SpiecePiece> pieces;
    std::int32_t unk_id = 0;
    std::array<std::int32_t, 256> byte_ids{};
    sentencepiece::ModelProto proto;  // the two below point into it
    std::unique_ptr<sentencepiece::unigram::Model> model;
    std::unique_ptr<sentencepiece::normalizer::Normalizer> normalizer;

    // As SentencePieceProcessor::Load. `flags` and `pieces` are there already.
    void load() {
        sentencepiece::SetMinLogLevel(3);  // the core never prints
        model = std::make_unique<sentencepiece::unigram::Model>(proto);
        check(model->status(), ErrorCode::format_value);
        normalizer = std::make_unique<sentencepiece::normalizer::Normalizer>(proto.normalizer_spec(),
                                                                             proto.trainer_spec());
        check(normalizer->status(), ErrorCode::format_value);
        normalizer->SetPrefixMatcher(model->prefix_matcher());
        for (std::size_t id = 0; id < pieces.size(); ++id) {
            const SpiecePiece& piece = pieces[id];
            if (piece.type == PieceType::unknown) unk_id = static_cast<std::int32_t>(id);
            const auto value = byte_piece_value(piece.text);
            if (piece.type == PieceType::byte && value) byte_ids[*value] = static_cast<std::int32_t>(id);
        }
    }

    // As SentencePieceProcessor::Encode: calls visit(text, id) for each piece of the best segmentation. What the
    // vocabulary cannot spell comes character by character, as unk_id.
    template <class Visit> void segment(std::string_view text, Visit visit) const {
        check_length(text);
        std::string normalized;
        std::vector<std::size_t> origins;  // which the normalizer insists on
        check(normalizer->Normalize(text, &normalized, &origins), ErrorCode::internal);
        std::vector<std::size_t>().swap(origins);
        for (const auto& [piece, id] : model->Encode(normalized)) visit(piece, id);
    }
};

Tokenizer::Tokenizer(std::span<const std::byte> spiece_model) : impl_(std::make_unique<Impl>()) {
    SpieceModel model = parse_spiece(spiece_model);
    validate_spiece(model);
    // Without rules a denormalizer does nothing, and sentencepiece makes none.
    const bool denormalizes = model.denormalizer && !model.denormalizer->charsmap.empty();
    impl_->flags = {model.normalizer.add_dummy_prefix, model.normalizer.remove_extra_whitespaces,
                    model.byte_fallback, denormalizes, std::move(model.unk_surface)};
    impl_->pieces = std::move(model.pieces);
    if (!impl_->proto.ParseFromArray(spiece_model.data(), static_cast<int>(spiece_model.size())))
        fail(ErrorCode::format_syntax, "The tokenizer is no message of protobuf.");
    impl_->load();
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

std::int32_t Tokenizer::id(std::string_view piece) const { return impl_->model->PieceToId(piece); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
    std::vector<std::int32_t> ids;
    bool after_unknown = false;
    impl_->segment(text, [&](std::string_view piece, std::int32_t id) {
        const bool unknown = id == impl_->unk_id;
        if (unknown && impl_->flags.byte_fallback) {
            for (const char byte : piece) ids.push_back(impl_->byte_ids[static_cast<unsigned char>(byte)]);
        } else if (!unknown || !after_unknown) {
            ids.push_back(id);
        }
        after_unknown = unknown;
    });
    return ids;
}

std::vector<std::string> Tokenizer::tokenize(std::string_view text) const {
    std::vector<std::string> pieces;
    bool after_unknown = false;
    impl_->segment(text, [&](std::string_view piece, std::int32_t id) {
        const bool unknown = id == impl_->unk_id;
        if (unknown && impl_->flags.byte_fallback) {
            for (const char byte : piece)
                pieces.push_back(this->piece(impl_->byte_ids[static_cast<unsigned char>(byte)]));
        } else if (unknown && after_unknown) {
            pieces.back() += piece;
        } else {
            pieces.emplace_back(piece);
        }
        after_unknown = unknown;
    });
    return pieces;
}

const Tokenizer::Flags& Tokenizer::flags() const { return impl_->flags; }

Tokenizer Tokenizer::without_dummy_prefix() const {
    auto impl = std::make_unique<Impl>();
    impl->flags = impl_->flags;
    impl->flags.add_dummy_prefix = false;
    impl->pieces = impl_->pieces;
    impl->proto = impl_->proto;
    impl->proto.mutable_normalizer_spec()->set_add_dummy_prefix(false);
    impl->load();
    return Tokenizer(std::move(impl));
}

}  // namespace neox
