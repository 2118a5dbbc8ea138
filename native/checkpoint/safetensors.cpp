#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/printable.h"
#include "checkpoint/json.h"

namespace neox {
namespace {

constexpr std::size_t kMostTensors = 1'000'000;
constexpr std::size_t kLongestName = 4096;
constexpr std::size_t kMostDimensions = 8;

struct ElementType {
    const char* name;
    std::uint64_t bytes;
    std::optional<DType> dtype;
};

const ElementType& find_element_type(std::string_view name, std::string_view tensor) {
    static constexpr ElementType kTypes[] = {
        {"F32", 4, DType::F32},    {"F16", 2, DType::F16},       {"BF16", 2, DType::BF16},
        {"F64", 8, DType::F64},    {"I64", 8, DType::I64},       {"I32", 4, DType::I32},
        {"I16", 2, DType::I16},    {"I8", 1, DType::I8},         {"U8", 1, std::nullopt},
        {"BOOL", 1, std::nullopt}, {"U16", 2, std::nullopt},     {"U32", 4, std::nullopt},
        {"U64", 8, std::nullopt},  {"F8_E5M2", 1, std::nullopt}, {"F8_E4M3", 1, std::nullopt},
    };
    for (const ElementType& type : kTypes)
        if (name == type.name) return type;
    fail(ErrorCode::format_type, "Tensor '", tensor, "' has unknown dtype '", printable(name), "'.");
}

std::uint64_t as_size(const JsonValue& value, const std::string& what) {
    const std::int64_t v = value.as_integer(what);
    if (v < 0) fail(ErrorCode::format_value, what, " is ", v, ", but may not be negative.");
    return static_cast<std::uint64_t>(v);
}

SafetensorsTensor read_tensor(const JsonMember& member, std::uint64_t data_begin) {
    const auto& [name, entry] = member;
    if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string::npos)
        fail(ErrorCode::format_value, "A tensor name must have 1 to ", kLongestName, " bytes and no NUL; ",
             json_quote(name.substr(0, 64)), " does not.");
    const std::string what = text("Tensor '", name, "'");
    for (const JsonMember& field : entry.as_object(what))
        if (field.key != "dtype" && field.key != "shape" && field.key != "data_offsets")
            fail(ErrorCode::format_value, what, " has an unknown field '", printable(field.key), "'.");
    const JsonValue* dtype = entry.find("dtype");
    const JsonValue* shape = entry.find("shape");
    const JsonValue* offsets = entry.find("data_offsets");
    if (!dtype || !shape || !offsets)
        fail(ErrorCode::format_missing, what, " lacks dtype, shape or data_offsets.");
    SafetensorsTensor tensor;
    tensor.name = name;
    tensor.dtype_name = dtype->as_string(what + " dtype");
    const ElementType& type = find_element_type(tensor.dtype_name, name);
    tensor.dtype = type.dtype;
    std::uint64_t n_bytes = type.bytes;
    for (const JsonValue& dim : shape->as_array(what + " shape")) {
        if (tensor.shape.size() == kMostDimensions)
            fail(ErrorCode::format_shape, what, " has more than ", kMostDimensions, " dimensions.");
        tensor.shape.push_back(as_size(dim, what + " shape"));
        n_bytes = checked_mul(n_bytes, tensor.shape.back(), "bytes of a tensor");
    }
    const JsonArray& range = offsets->as_array(what + " data_offsets");
    if (range.size() != 2)
        fail(ErrorCode::format_offset, what, " has ", range.size(), " data_offsets; 2 were expected.");
    const std::uint64_t begin = as_size(range[0], what + " data_offsets");
    const std::uint64_t end = as_size(range[1], what + " data_offsets");
    if (end < begin)
        fail(ErrorCode::format_offset, what, " ends at ", end, ", before its begin at ", begin, ".");
    if (end - begin != n_bytes)
        fail(ErrorCode::format_shape, what, " needs ", n_bytes, " bytes by its shape, but occupies ",
             end - begin, ".");
    tensor.offset = checked_add(data_begin, begin, "offset of a tensor");
    tensor.n_bytes = n_bytes;
    return tensor;
}

void check_metadata(const JsonValue& metadata) {
    for (const auto& [key, value] : metadata.as_object("__metadata__"))
        value.as_string("__metadata__ " + printable(key));
}

}  // namespace

std::uint64_t safetensors_header_length(std::span<const std::byte> first8, std::uint64_t file_size) {
    if (first8.size() < 8 || file_size < 8)
        fail(ErrorCode::format_truncated, "A safetensors file has at least 8 bytes; this one has ", file_size,
             ".");
    std::uint64_t length;
    std::memcpy(&length, first8.data(), sizeof length);
    if (length > kSafetensorsLargestHeader)
        fail(ErrorCode::format_limit, "The header claims ", length, " bytes; at most ",
             kSafetensorsLargestHeader, " are accepted.");
    if (length > file_size - 8)
        fail(ErrorCode::format_truncated, "The header claims ", length, " bytes, but ", file_size - 8,
             " are left.");
    return length;
}

std::vector<SafetensorsTensor> parse_safetensors(std::string_view header, std::uint64_t file_size) {
    if (header.empty() || header.front() != '{')
        fail(ErrorCode::format_magic, "This is no safetensors file: the header does not begin with '{'.");
    JsonLimits limits;
    limits.max_bytes = kSafetensorsLargestHeader;
    limits.max_depth = 4;
    limits.max_values = kMostTensors * 8;
    const JsonValue json = parse_json(header, "The safetensors header", limits);
    const std::uint64_t data_begin = checked_add(8, header.size(), "start of the data");
    std::vector<SafetensorsTensor> tensors;
    for (const JsonMember& member : json.as_object("The safetensors header")) {
        if (member.key == "__metadata__") {
            check_metadata(member.value);
            continue;
        }
        if (tensors.size() == kMostTensors)
            fail(ErrorCode::format_limit, "The file has more than ", kMostTensors, " tensors.");
        tensors.push_back(read_tensor(member, data_begin));
    }
    std::sort(tensors.begin(), tensors.end(), [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
        return a.offset != b.offset ? a.offset < b.offset : a.n_bytes < b.n_bytes;
    });
    std::uint64_t end = data_begin;
    for (const SafetensorsTensor& tensor : tensors) {
        if (tensor.offset != end)
            fail(ErrorCode::format_offset, "Tensor '", tensor.name, "' begins at byte ",
                 tensor.offset - data_begin, " of the data; ", end - data_begin,
                 " was expected, without a hole or an overlap.");
        end = checked_add(end, tensor.n_bytes, "end of a tensor");
    }
    if (end > file_size)
        fail(ErrorCode::format_truncated, "The tensors end at byte ", end, ", but the file has ", file_size,
             ".");
    if (end < file_size)
        fail(ErrorCode::format_offset, "The tensors end at byte ", end, ", but the file goes on to ",
             file_size, ".");
    return tensors;
}

std::vector<SafetensorsTensor> read_safetensors(const File& file) {
    try {
        std::byte first8[8];
        file.read_at(0, first8);
        if (std::memcmp(first8, "version ", sizeof first8) == 0)
            fail(ErrorCode::format_magic,
                 "This is a pointer of Git LFS, not the file itself; fetch it with 'git lfs pull'.");
        std::string header(static_cast<std::size_t>(safetensors_header_length(first8, file.size())), '\0');
        file.read_at(8, {reinterpret_cast<std::byte*>(header.data()), header.size()});
        return parse_safetensors(header, file.size());
    } catch (const Error& e) {
        throw Error(e.code(), text("'", file.path(), "': ", e.what()));
    }
}

}  // namespace neox
