#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "gguf/gguf.h"

namespace neox {
namespace {

class Encoder {
public:
    template <class T> void number(T v) { raw({reinterpret_cast<const std::byte*>(&v), sizeof(T)}); }
    void string(const std::string& v) {
        if (v.size() > kGgufLongestString)
            fail(ErrorCode::format_limit, "A text of ", v.size(), " bytes cannot be written; at most ",
                 kGgufLongestString, " are accepted.");
        number(std::uint64_t{v.size()});
        raw(as_bytes(v));
    }
    void raw(std::span<const std::byte> v) {
        if (v.empty()) return;
        const std::size_t at = out_.size();
        out_.resize(at + v.size());
        std::memcpy(out_.data() + at, v.data(), v.size());
    }
    void value(const GgufValue& v) {
        number(static_cast<std::uint32_t>(v.type));
        switch (v.type) {
            case GgufType::u8: number(static_cast<std::uint8_t>(std::get<std::uint64_t>(v.value))); break;
            case GgufType::u16: number(static_cast<std::uint16_t>(std::get<std::uint64_t>(v.value))); break;
            case GgufType::u32: number(static_cast<std::uint32_t>(std::get<std::uint64_t>(v.value))); break;
            case GgufType::u64: number(std::get<std::uint64_t>(v.value)); break;
            case GgufType::i8: number(static_cast<std::int8_t>(std::get<std::int64_t>(v.value))); break;
            case GgufType::i16: number(static_cast<std::int16_t>(std::get<std::int64_t>(v.value))); break;
            case GgufType::i32: number(static_cast<std::int32_t>(std::get<std::int64_t>(v.value))); break;
            case GgufType::i64: number(std::get<std::int64_t>(v.value)); break;
            case GgufType::f32: number(static_cast<float>(std::get<double>(v.value))); break;
            case GgufType::f64: number(std::get<double>(v.value)); break;
            case GgufType::boolean: number(static_cast<std::uint8_t>(std::get<bool>(v.value))); break;
            case GgufType::string: string(std::get<std::string>(v.value)); break;
            case GgufType::array: array(std::get<GgufArray>(v.value)); break;
        }
    }
    std::vector<std::byte> take(std::size_t size) {
        out_.resize(size);
        return std::move(out_);
    }
    std::uint64_t size() const { return out_.size(); }

private:
    void array(const GgufArray& v) {
        number(static_cast<std::uint32_t>(v.element));
        number(v.count);
        raw(v.bytes);
        for (const std::string& s : v.strings) string(s);
    }

    std::vector<std::byte> out_;
};

}  // namespace

std::vector<std::byte> encode_gguf_header(GgufFile& file) {
    file.version = kGgufVersion;
    if (file.alignment != kGgufDefaultAlignment)
        file.set("general.alignment", GgufValue::u32(static_cast<std::uint32_t>(file.alignment)));
    std::uint64_t offset = 0;
    Encoder out;
    out.raw(as_bytes("GGUF"));
    out.number(kGgufVersion);
    out.number(std::uint64_t{file.tensors.size()});
    out.number(std::uint64_t{file.metadata.size()});
    for (const auto& [key, value] : file.metadata) {
        out.string(key);
        out.value(value);
    }
    for (Tensor& tensor : file.tensors) {
        // ggml keeps names in 64 bytes with a NUL.
        if (tensor.name.empty() || tensor.name.size() > 63)
            fail(ErrorCode::format_limit, "The tensor name '", tensor.name,
                 "' cannot be written: 1 to 63 bytes.");
        tensor.n_bytes =
            checked_mul(row_bytes(tensor.dtype, tensor.n_cols()), tensor.n_rows(), "bytes of a tensor");
        tensor.offset = offset;
        offset = checked_round_up(checked_add(offset, tensor.n_bytes, "tensor data"), file.alignment,
                                  "tensor data");
        out.string(tensor.name);
        out.number(static_cast<std::uint32_t>(tensor.n_dims));
        for (int i = 0; i < tensor.n_dims; ++i) out.number(tensor.shape[i]);
        out.number(static_cast<std::int32_t>(tensor.dtype));
        out.number(tensor.offset);
    }
    if (out.size() > kGgufLargestHeader)
        fail(ErrorCode::format_limit, "The header has ", out.size(), " bytes; at most ", kGgufLargestHeader,
             " are accepted.");
    file.data_offset = checked_round_up(out.size(), file.alignment, "start of the data");
    return out.take(static_cast<std::size_t>(file.data_offset));
}

GgufWriter::GgufWriter(const std::string& path, GgufFile file) : file_(std::move(file)), out_(path) {
    out_.append(encode_gguf_header(file_));
}

std::uint64_t GgufWriter::data_bytes() const {
    std::uint64_t sum = 0;
    for (const Tensor& tensor : file_.tensors) sum += tensor.n_bytes;
    return sum;
}

void GgufWriter::write(std::size_t index, std::uint64_t offset, std::span<const std::byte> bytes) {
    const Tensor& tensor = file_.tensors.at(index);
    if (offset > tensor.n_bytes || bytes.size() > tensor.n_bytes - offset)
        fail(ErrorCode::internal, bytes.size(), " bytes at ", offset, " are not within the ", tensor.n_bytes,
             " bytes of tensor '", tensor.name, "'.");
    out_.write_at(file_.data_offset + tensor.offset + offset, bytes);
    written_.fetch_add(bytes.size(), std::memory_order_relaxed);
}

void GgufWriter::commit() {
    if (written_.load() != data_bytes())
        fail(ErrorCode::internal, written_.load(), " of the ", data_bytes(), " bytes of the tensors of '",
             out_.path(), "' were written.");
    if (!file_.tensors.empty()) {
        // The gaps between tensors were never written and read as zeros; the last tensor is padded too, as
        // ggml does.
        const Tensor& last = file_.tensors.back();
        const std::uint64_t end = file_.data_offset + last.offset + last.n_bytes;
        const std::vector<std::byte> padding(
            static_cast<std::size_t>(checked_round_up(end, file_.alignment, "end of the data") - end));
        out_.write_at(end, padding);
    }
    out_.commit();
}

}  // namespace neox
