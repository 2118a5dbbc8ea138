#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "gguf/gguf.h"

namespace neox {
namespace {

constexpr std::uint64_t kMostEntries = 65536;  // of metadata, and of tensors
constexpr std::uint64_t kLongestKey = 65535;
constexpr std::uint64_t kLongestName = 64;
constexpr std::uint64_t kLargestAlignment = std::uint64_t{1} << 20;
constexpr std::uint64_t kFirstBytes = std::uint64_t{1} << 20;

// ggml types that exist but that this project does not read.
constexpr std::int32_t kOtherTypes[] = {9, 15, 16, 17, 18, 19, 21, 22, 23, 29, 34, 35, 39, 40, 41, 42};

// Thrown inside this file only: the header goes on beyond the bytes at hand.
struct NeedMore {};

class Reader {
public:
    Reader(std::span<const std::byte> head, std::uint64_t file_size) : head_(head), file_size_(file_size) {}

    std::uint64_t position() const { return position_; }
    std::uint64_t remaining() const { return file_size_ - position_; }

    std::span<const std::byte> bytes(std::uint64_t n, const char* what) {
        if (n > remaining())
            fail(ErrorCode::format_truncated, "The file ends within ", what, ": ", n, " bytes are needed at ",
                 position_, ", ", remaining(), " are left.");
        if (n > head_.size() - position_) {
            if (position_ + n > kGgufLargestHeader)
                fail(ErrorCode::format_limit, "The header exceeds ", kGgufLargestHeader, " bytes.");
            throw NeedMore{};
        }
        const auto result = head_.subspan(static_cast<std::size_t>(position_), static_cast<std::size_t>(n));
        position_ += n;
        return result;
    }

    template <class T> T number(const char* what) {
        T value;
        std::memcpy(&value, bytes(sizeof(T), what).data(), sizeof(T));
        return value;
    }

    // A view into `head`.
    std::string_view string(std::uint64_t limit, const char* what) {
        const auto length = number<std::uint64_t>(what);
        if (length > remaining())
            fail(ErrorCode::format_truncated, "The length of ", what, " is ", length, ", but only ",
                 remaining(), " bytes are left.");
        if (length > limit)
            fail(ErrorCode::format_limit, "The length of ", what, " is ", length, "; at most ", limit,
                 " is accepted.");
        const auto span = bytes(length, what);
        return {reinterpret_cast<const char*>(span.data()), span.size()};
    }

    // A count of things of at least min_bytes each.
    std::uint64_t count(std::uint64_t n, std::uint64_t limit, std::uint64_t min_bytes,
                        const char* what) const {
        if (n > remaining() / min_bytes)
            fail(ErrorCode::format_truncated, "The file claims ", n, " ", what, ", but only ", remaining(),
                 " bytes are left.");
        if (n > limit)
            fail(ErrorCode::format_limit, "The file has ", n, " ", what, "; at most ", limit,
                 " are accepted.");
        return n;
    }

private:
    std::span<const std::byte> head_;
    std::uint64_t file_size_;
    std::uint64_t position_ = 0;
};

std::uint64_t element_bytes(GgufType type) {
    switch (type) {
        case GgufType::u8:
        case GgufType::i8:
        case GgufType::boolean: return 1;
        case GgufType::u16:
        case GgufType::i16: return 2;
        case GgufType::u32:
        case GgufType::i32:
        case GgufType::f32: return 4;
        case GgufType::u64:
        case GgufType::i64:
        case GgufType::f64: return 8;
        case GgufType::string: return 8;  // at least
        case GgufType::array: return 12;  // at least
    }
    return 1;
}

GgufType read_type(Reader& in, std::string_view key) {
    const auto number = in.number<std::uint32_t>("a metadata type");
    if (number > static_cast<std::uint32_t>(GgufType::f64))
        fail(ErrorCode::format_type, "Metadata '", printable(key), "' has unknown type ", number, ".");
    return static_cast<GgufType>(number);
}

bool to_bool(std::byte value, std::string_view key) {
    if (value > std::byte{1})
        fail(ErrorCode::format_value, "Metadata '", printable(key), "' holds a bool of value ",
             static_cast<int>(value), ".");
    return value == std::byte{1};
}

GgufArray read_array(Reader& in, std::string_view key) {
    GgufArray array;
    array.element = read_type(in, key);
    if (array.element == GgufType::array)
        fail(ErrorCode::format_type, "Metadata '", printable(key),
             "' is an array of arrays, which is not accepted.");
    const std::uint64_t size = element_bytes(array.element);
    array.count =
        in.count(in.number<std::uint64_t>("an array count"), kGgufMostElements, size, "array elements");
    if (array.element == GgufType::string) {
        // Grows with the bytes read: the count alone backs 8 bytes a string, not the memory of one.
        for (std::uint64_t i = 0; i < array.count; ++i)
            array.strings.emplace_back(in.string(kGgufLongestString, "a string in an array"));
        return array;
    }
    const auto bytes = in.bytes(array.count * size, "an array");
    if (array.element == GgufType::boolean)
        for (const std::byte b : bytes) to_bool(b, key);
    array.bytes.assign(bytes.begin(), bytes.end());
    return array;
}

GgufValue read_value(Reader& in, std::string_view key) {
    const GgufType type = read_type(in, key);
    const char* what = "a metadata value";
    switch (type) {
        case GgufType::u8: return {type, std::uint64_t{in.number<std::uint8_t>(what)}};
        case GgufType::u16: return {type, std::uint64_t{in.number<std::uint16_t>(what)}};
        case GgufType::u32: return {type, std::uint64_t{in.number<std::uint32_t>(what)}};
        case GgufType::u64: return {type, in.number<std::uint64_t>(what)};
        case GgufType::i8: return {type, std::int64_t{in.number<std::int8_t>(what)}};
        case GgufType::i16: return {type, std::int64_t{in.number<std::int16_t>(what)}};
        case GgufType::i32: return {type, std::int64_t{in.number<std::int32_t>(what)}};
        case GgufType::i64: return {type, in.number<std::int64_t>(what)};
        case GgufType::f32: return {type, double{in.number<float>(what)}};
        case GgufType::f64: return {type, in.number<double>(what)};
        case GgufType::boolean: return {type, to_bool(in.number<std::byte>(what), key)};
        case GgufType::string: return {type, std::string(in.string(kGgufLongestString, "a metadata string"))};
        case GgufType::array: return {type, read_array(in, key)};
    }
    fail(ErrorCode::format_type, "Metadata '", printable(key), "' has an unknown type.");
}

void check_label(std::string_view label, const char* what) {
    if (label.empty()) fail(ErrorCode::format_value, what, " is empty.");
    if (label.find('\0') != std::string_view::npos)
        fail(ErrorCode::format_value, what, " holds a NUL character.");
    if (!is_valid_utf8(label)) fail(ErrorCode::format_value, what, " is not valid UTF-8.");
}

void read_metadata(Reader& in, std::uint64_t n, GgufFile& file) {
    std::unordered_set<std::string_view> seen;
    for (std::uint64_t i = 0; i < n; ++i) {
        const std::string_view key = in.string(kLongestKey, "a metadata key");
        check_label(key, "A metadata key");
        if (!seen.insert(key).second)
            fail(ErrorCode::format_duplicate, "Metadata key '", printable(key), "' occurs twice.");
        file.metadata.emplace_back(std::string(key), read_value(in, key));
    }
    const auto alignment = file.find_u32("general.alignment");
    if (!alignment) return;
    if (*alignment == 0 || (*alignment & (*alignment - 1)) != 0 || *alignment > kLargestAlignment)
        fail(ErrorCode::format_value, "general.alignment is ", *alignment, "; a power of two up to ",
             kLargestAlignment, " was expected.");
    file.alignment = *alignment;
}

Tensor read_tensor(Reader& in) {
    Tensor tensor;
    const std::string_view name = in.string(kLongestName, "a tensor name");
    check_label(name, "A tensor name");
    tensor.name = name;
    const auto n_dims = in.number<std::uint32_t>("a tensor's dimensions");
    if (n_dims < 1 || n_dims > 4)
        fail(ErrorCode::format_shape, "Tensor '", name, "' has ", n_dims,
             " dimensions; 1 to 4 were expected.");
    tensor.n_dims = static_cast<int>(n_dims);
    std::uint64_t n_rows = 1;
    for (std::uint32_t i = 0; i < n_dims; ++i) {
        tensor.shape[i] = in.number<std::uint64_t>("a tensor's shape");
        if (tensor.shape[i] == 0)
            fail(ErrorCode::format_shape, "Dimension ", i, " of tensor '", name, "' is 0.");
        if (i > 0) n_rows = checked_mul(n_rows, tensor.shape[i], "rows of a tensor");
    }
    checked_mul(n_rows, tensor.shape[0], "elements of a tensor");
    const auto number = in.number<std::int32_t>("a tensor's type");
    const DTypeInfo* info = find_dtype(number);
    if (!info) {
        const bool exists =
            std::find(std::begin(kOtherTypes), std::end(kOtherTypes), number) != std::end(kOtherTypes);
        fail(exists ? ErrorCode::unsupported : ErrorCode::format_type, "Tensor '", name, "' has type ",
             number, exists ? ", which is not supported." : ", which does not exist.");
    }
    tensor.dtype = info->dtype;
    if (tensor.shape[0] % static_cast<std::uint64_t>(info->block_length) != 0)
        fail(ErrorCode::format_shape, "The rows of tensor '", name, "' have ", tensor.shape[0],
             " elements, no multiple of ", info->name, "'s block of ", info->block_length, ".");
    tensor.n_bytes = checked_mul(row_bytes(tensor.dtype, tensor.shape[0]), n_rows, "bytes of a tensor");
    tensor.offset = in.number<std::uint64_t>("a tensor's offset");
    return tensor;
}

// Every tensor lies aligned within the file, after the one before it.
void check_offsets(const GgufFile& file, std::uint64_t file_size) {
    std::uint64_t end = 0;
    for (const Tensor& tensor : file.tensors) {
        if (tensor.offset % file.alignment != 0)
            fail(ErrorCode::format_offset, "The offset ", tensor.offset, " of tensor '", tensor.name,
                 "' is no multiple of the alignment ", file.alignment, ".");
        if (tensor.offset < end)
            fail(ErrorCode::format_offset, "Tensor '", tensor.name, "' at ", tensor.offset,
                 " overlaps the tensor before it, which ends at ", end, ".");
        end = checked_add(tensor.offset, tensor.n_bytes, "end of a tensor");
        if (checked_add(file.data_offset, end, "end of a tensor") > file_size)
            fail(ErrorCode::format_truncated, "Tensor '", tensor.name, "' ends at byte ",
                 file.data_offset + end, ", but the file has ", file_size, ".");
    }
}

GgufFile parse(std::span<const std::byte> head, std::uint64_t file_size) {
    Reader in(head, file_size);
    const auto magic = in.bytes(4, "the magic number");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0)
        fail(ErrorCode::format_magic, "This is no GGUF file: it does not begin with 'GGUF'.");
    GgufFile file;
    file.version = in.number<std::uint32_t>("the version");
    if (file.version != 0 && (file.version & 0xFFFF) == 0)
        fail(ErrorCode::format_version, "This is a big-endian GGUF file; only little endian is read.");
    if (file.version != 2 && file.version != 3)
        fail(ErrorCode::format_version, "GGUF version ", file.version, " is not read; 2 and 3 are.");
    const auto n_tensors_claimed = in.number<std::uint64_t>("the number of tensors");
    const auto n_metadata_claimed = in.number<std::uint64_t>("the number of metadata entries");
    const std::uint64_t n_tensors =
        in.count(n_tensors_claimed, kMostEntries, 8 + 1 + 4 + 8 + 4 + 8, "tensors");
    const std::uint64_t n_metadata =
        in.count(n_metadata_claimed, kMostEntries, 8 + 1 + 4 + 1, "metadata entries");
    read_metadata(in, n_metadata, file);
    for (std::uint64_t i = 0; i < n_tensors; ++i) file.tensors.push_back(read_tensor(in));
    std::unordered_set<std::string_view> names;
    for (const Tensor& tensor : file.tensors)
        if (!names.insert(tensor.name).second)
            fail(ErrorCode::format_duplicate, "Tensor name '", tensor.name, "' occurs twice.");
    file.data_offset = checked_round_up(in.position(), file.alignment, "start of the data");
    check_offsets(file, file_size);
    return file;
}

}  // namespace

std::optional<GgufFile> parse_gguf(std::span<const std::byte> head, std::uint64_t file_size) {
    if (head.size() > file_size) head = head.first(static_cast<std::size_t>(file_size));
    try {
        return parse(head, file_size);
    } catch (const NeedMore&) {
        return std::nullopt;
    }
}

GgufFile read_gguf(const File& file) {
    const std::uint64_t largest = std::min(file.size(), kGgufLargestHeader);
    AlignedBuffer<std::byte> head;
    for (std::uint64_t size = std::min(largest, kFirstBytes);; size = std::min(largest, size * 2)) {
        head.reset(static_cast<std::size_t>(size));
        const std::span<std::byte> bytes(head.data(), head.size());
        file.read_at(0, bytes);
        try {
            if (auto result = parse_gguf(bytes, file.size())) return std::move(*result);
        } catch (const Error& e) {
            throw Error(e.code(), text("'", file.path(), "': ", e.what()));
        }
    }
}

}  // namespace neox
