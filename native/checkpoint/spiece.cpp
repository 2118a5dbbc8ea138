#include "checkpoint/spiece.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace neox {
namespace {

enum class Wire : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
    std::uint32_t number = 0;
    Wire wire = Wire::varint;
    std::uint64_t varint = 0;
    std::uint32_t fixed32 = 0;
    std::span<const std::byte> bytes;
};

class Reader {
public:
    Reader(std::span<const std::byte> bytes, const char* what) : bytes_(bytes), what_(what) {}

    bool next(Field& field) {
        if (at_ == bytes_.size()) return false;
        const std::uint64_t key = varint();
        const std::uint64_t number = key >> 3;
        if (number == 0 || number > 0x1FFFFFFF)
            fail(ErrorCode::format_syntax, what_, ": field number ", number, " at byte ", at_, ".");
        field.number = static_cast<std::uint32_t>(number);
        switch (key & 7) {
            case 0: field.varint = varint(); break;
            case 1: take(8); break;
            case 2: field.bytes = take(varint()); break;
            case 5: std::memcpy(&field.fixed32, take(4).data(), 4); break;
            default:
                fail(ErrorCode::format_syntax, what_, ": field ", number, " has wire type ", key & 7,
                     ", which is not accepted.");
        }
        field.wire = static_cast<Wire>(key & 7);
        return true;
    }

private:
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            const auto b = static_cast<std::uint64_t>(take(1)[0]);
            if (shift == 63 && b > 1) break;
            value |= (b & 0x7F) << shift;
            if (b < 0x80) return value;
        }
        fail(ErrorCode::format_syntax, what_, ": a number at byte ", at_, " does not fit into 64 bits.");
    }

    std::span<const std::byte> take(std::uint64_t n) {
        if (n > bytes_.size() - at_)
            fail(ErrorCode::format_truncated, what_, " ends within a field: ", n, " bytes are needed at ",
                 at_, ", ", bytes_.size() - at_, " are left.");
        const auto result = bytes_.subspan(at_, static_cast<std::size_t>(n));
        at_ += static_cast<std::size_t>(n);
        return result;
    }

    std::span<const std::byte> bytes_;
    const char* what_;
    std::size_t at_ = 0;
};

// A known field of another wire type would be skipped by some readers and taken by others.
void expect(const Field& field, Wire wire, const char* what) {
    if (field.wire != wire)
        fail(ErrorCode::format_type, what, ": field ", field.number, " has wire type ",
             static_cast<unsigned>(field.wire), "; ", static_cast<unsigned>(wire), " was expected.");
}

std::string as_text(const Field& field, const char* what) {
    expect(field, Wire::bytes, what);
    return {reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()};
}

bool as_bool(const Field& field, const char* what) {
    expect(field, Wire::varint, what);
    return field.varint != 0;
}

std::int32_t as_int32(const Field& field, const char* what) {
    expect(field, Wire::varint, what);
    const auto value = static_cast<std::int64_t>(field.varint);
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
        fail(ErrorCode::format_value, what, ": field ", field.number, " is ", value,
             ", which exceeds 32 bits.");
    return static_cast<std::int32_t>(value);
}

SpiecePiece read_piece(std::span<const std::byte> bytes) {
    constexpr const char* kWhat = "A piece of the tokenizer";
    SpiecePiece piece;
    Reader in(bytes, kWhat);
    for (Field field; in.next(field);) {
        if (field.number == 1) piece.text = as_text(field, kWhat);
        if (field.number == 2) {
            expect(field, Wire::fixed32, kWhat);
            piece.score = std::bit_cast<float>(field.fixed32);
        }
        if (field.number != 3) continue;
        const std::int32_t type = as_int32(field, kWhat);
        if (type < 1 || type > 6)
            fail(ErrorCode::format_value, kWhat, " has type ", type, "; 1 to 6 was expected.");
        piece.type = static_cast<PieceType>(type);
    }
    return piece;
}

// A message that occurs twice is merged, as protobuf does.
void read_trainer(std::span<const std::byte> bytes, SpieceModel& model) {
    constexpr const char* kWhat = "The tokenizer's trainer_spec";
    Reader in(bytes, kWhat);
    for (Field field; in.next(field);) {
        switch (field.number) {
            case 3: model.model_type = as_int32(field, kWhat); break;
            case 24: model.treat_whitespace_as_suffix = as_bool(field, kWhat); break;
            case 35: model.byte_fallback = as_bool(field, kWhat); break;
            case 40: model.unk_id = as_int32(field, kWhat); break;
            case 41: model.bos_id = as_int32(field, kWhat); break;
            case 42: model.eos_id = as_int32(field, kWhat); break;
            case 43: model.pad_id = as_int32(field, kWhat); break;
            case 44: model.unk_surface = as_text(field, kWhat); break;
            case 45: model.unk_piece = as_text(field, kWhat); break;
            case 46: model.bos_piece = as_text(field, kWhat); break;
            case 47: model.eos_piece = as_text(field, kWhat); break;
            case 48: model.pad_piece = as_text(field, kWhat); break;
            default: break;
        }
    }
}

void read_normalizer(std::span<const std::byte> bytes, SpieceNormalizer& normalizer) {
    constexpr const char* kWhat = "The tokenizer's normalizer_spec";
    Reader in(bytes, kWhat);
    for (Field field; in.next(field);) {
        switch (field.number) {
            case 1: normalizer.name = as_text(field, kWhat); break;
            case 2:
                expect(field, Wire::bytes, kWhat);
                normalizer.charsmap.assign(field.bytes.begin(), field.bytes.end());
                break;
            case 3: normalizer.add_dummy_prefix = as_bool(field, kWhat); break;
            case 4: normalizer.remove_extra_whitespaces = as_bool(field, kWhat); break;
            case 5: normalizer.escape_whitespaces = as_bool(field, kWhat); break;
            default: break;
        }
    }
}

class Writer {
public:
    void varint(std::uint32_t number, std::uint64_t value) {
        raw_varint(std::uint64_t{number} << 3);
        raw_varint(value);
    }
    void int32(std::uint32_t number, std::int32_t value) {
        varint(number, static_cast<std::uint64_t>(std::int64_t{value}));
    }
    void fixed32(std::uint32_t number, float value) {
        raw_varint(std::uint64_t{number} << 3 | 5);
        const auto bits = std::bit_cast<std::array<std::byte, 4>>(value);
        out_.insert(out_.end(), bits.begin(), bits.end());
    }
    void bytes(std::uint32_t number, std::span<const std::byte> value) {
        raw_varint(std::uint64_t{number} << 3 | 2);
        raw_varint(value.size());
        out_.insert(out_.end(), value.begin(), value.end());
    }
    void text(std::uint32_t number, const std::string& value) {
        bytes(number, {reinterpret_cast<const std::byte*>(value.data()), value.size()});
    }
    std::vector<std::byte>& out() { return out_; }

private:
    void raw_varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::byte>(value | 0x80));
        out_.push_back(static_cast<std::byte>(value));
    }

    std::vector<std::byte> out_;
};

void write_piece(const SpiecePiece& piece, Writer& out) {
    Writer message;
    message.text(1, piece.text);
    message.fixed32(2, piece.score);
    if (piece.type != PieceType::normal) message.int32(3, static_cast<std::int32_t>(piece.type));
    out.bytes(1, message.out());
}

void write_normalizer(std::uint32_t number, const SpieceNormalizer& normalizer, Writer& out) {
    Writer message;
    message.text(1, normalizer.name);
    message.bytes(2, normalizer.charsmap);
    message.varint(3, normalizer.add_dummy_prefix ? 1 : 0);
    message.varint(4, normalizer.remove_extra_whitespaces ? 1 : 0);
    message.varint(5, normalizer.escape_whitespaces ? 1 : 0);
    out.bytes(number, message.out());
}

}  // namespace

SpieceModel parse_spiece(std::span<const std::byte> bytes) {
    constexpr const char* kWhat = "The tokenizer";
    if (bytes.size() > kSpieceLargestFile)
        fail(ErrorCode::format_limit, kWhat, " has ", bytes.size(), " bytes; at most ", kSpieceLargestFile,
             " are accepted.");
    SpieceModel model;
    Reader in(bytes, kWhat);
    for (Field field; in.next(field);) {
        if (field.number < 1 || field.number > 5 || field.number == 4) continue;
        expect(field, Wire::bytes, kWhat);
        if (field.number == 1) {
            if (model.pieces.size() == kSpieceMostPieces)
                fail(ErrorCode::format_limit, kWhat, " has more than ", kSpieceMostPieces, " pieces.");
            model.pieces.push_back(read_piece(field.bytes));
        } else if (field.number == 2) {
            read_trainer(field.bytes, model);
        } else if (field.number == 3) {
            read_normalizer(field.bytes, model.normalizer);
        } else {
            if (!model.denormalizer) model.denormalizer.emplace();
            read_normalizer(field.bytes, *model.denormalizer);
        }
    }
    return model;
}

std::vector<std::byte> write_spiece(const SpieceModel& model) {
    Writer out;
    for (const SpiecePiece& piece : model.pieces) write_piece(piece, out);
    Writer trainer;
    trainer.int32(3, model.model_type);
    trainer.varint(24, model.treat_whitespace_as_suffix ? 1 : 0);
    trainer.varint(35, model.byte_fallback ? 1 : 0);
    trainer.int32(40, model.unk_id);
    trainer.int32(41, model.bos_id);
    trainer.int32(42, model.eos_id);
    trainer.int32(43, model.pad_id);
    trainer.text(44, model.unk_surface);
    trainer.text(45, model.unk_piece);
    trainer.text(46, model.bos_piece);
    trainer.text(47, model.eos_piece);
    trainer.text(48, model.pad_piece);
    out.bytes(2, trainer.out());
    write_normalizer(3, model.normalizer, out);
    if (model.denormalizer) write_normalizer(5, *model.denormalizer, out);
    return std::move(out.out());
}

std::vector<std::byte> append_pieces(std::span<const std::byte> bytes, std::span<const SpiecePiece> pieces) {
    Writer out;
    out.out().assign(bytes.begin(), bytes.end());
    // A repeated field may stand anywhere in a message.
    for (const SpiecePiece& piece : pieces) write_piece(piece, out);
    return std::move(out.out());
}

}  // namespace neox
