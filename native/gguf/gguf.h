// GGUF, the file format of ggml, versions 2 and 3, little endian:
//
//   "GGUF" | u32 version | u64 n_tensors | u64 n_metadata
//   metadata: string key | u32 type | value              string = u64 length + bytes, without NUL
//             an array is u32 element type | u64 count | elements; a bool is one byte, 0 or 1
//   tensors:  string name | u32 n_dims | u64 shape[n_dims] (innermost first) | u32 type | u64 offset
//   zero bytes up to a multiple of general.alignment (default 32), then the data section; tensor offsets
//   count from its start, are multiples of the alignment and ascend in the order of the tensor list.
//
// A file is untrusted: every count is compared with the bytes that remain before anything is allocated for
// it, and every refusal is an Error with a format code. Bytes after the last tensor are ignored.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace neox {

inline constexpr std::uint32_t kGgufVersion = 3;  // written; 2 and 3 are read
inline constexpr std::uint64_t kGgufDefaultAlignment = 32;
inline constexpr std::uint64_t kGgufLongestString = std::uint64_t{16} << 20;  // bytes, read and written
inline constexpr std::uint64_t kGgufMostElements = std::uint64_t{64} << 20;   // of an array
inline constexpr std::uint64_t kGgufLargestHeader = std::uint64_t{256} << 20;

enum class GgufType : std::uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12,
};
const char* gguf_type_name(GgufType type);  // "u32"

struct GgufArray {
    GgufType element = GgufType::u8;
    std::uint64_t count = 0;
    std::vector<std::byte> bytes;      // of numbers and bools, as in the file
    std::vector<std::string> strings;  // of strings
};

// One metadata value. Unsigned, signed, floating: held in the widest type of their kind; `type` is the
// file's.
struct GgufValue {
    GgufType type = GgufType::u8;
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;

    static GgufValue u32(std::uint32_t v) { return {GgufType::u32, std::uint64_t{v}}; }
    static GgufValue f32(float v) { return {GgufType::f32, double{v}}; }
    static GgufValue boolean(bool v) { return {GgufType::boolean, v}; }
    static GgufValue string(std::string v) { return {GgufType::string, std::move(v)}; }
    static GgufValue strings(std::vector<std::string> v);
    static GgufValue u8_array(std::span<const std::byte> v);
    static GgufValue i32_array(std::span<const std::int32_t> v);
    static GgufValue f32_array(std::span<const float> v);

    // For people: a string as it is, an array as its first elements and their number.
    std::string to_text() const;
    // The value as an array of 32-bit integers or floats; nullopt when it is none or an element does not fit.
    std::optional<std::vector<std::int32_t>> as_i32_array() const;
    std::optional<std::vector<float>> as_f32_array() const;
};

using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

// The metadata and the tensor list of a file.
struct GgufFile {
    std::uint32_t version = kGgufVersion;
    std::uint64_t alignment = kGgufDefaultAlignment;
    GgufMetadata metadata;        // in file order, keys unique
    std::vector<Tensor> tensors;  // in file order, names unique; Tensor::offset counts from data_offset
    std::uint64_t data_offset = 0;

    const GgufValue* find(std::string_view key) const;  // nullptr when absent
    void set(const std::string& key, GgufValue value);  // replaces or appends

    // Typed values. The find_ forms give nullopt when the key is absent, the get_ forms throw
    // ERR_NEOX_FORMAT_MISSING. Any integer type is accepted where the value fits; another type is
    // ERR_NEOX_FORMAT_TYPE, a value out of range ERR_NEOX_FORMAT_VALUE. Messages name the key.
    std::optional<std::uint32_t> find_u32(std::string_view key) const;
    std::optional<float> find_f32(std::string_view key) const;
    std::optional<bool> find_bool(std::string_view key) const;
    std::optional<std::string> find_string(std::string_view key) const;
    std::uint32_t get_u32(std::string_view key) const;
    float get_f32(std::string_view key) const;
    bool get_bool(std::string_view key) const;
    std::string get_string(std::string_view key) const;
};

// Reads the header of a file of file_size bytes that begins with `head`. nullopt: the header does not end
// within `head`, and the file has more. Pure; throws the format codes and ERR_NEOX_UNSUPPORTED.
std::optional<GgufFile> parse_gguf(std::span<const std::byte> head, std::uint64_t file_size);
// Reads as much of the file as its header needs.
GgufFile read_gguf(const File& file);

// Encodes magic, metadata and tensor list, padded to the data section. Assigns version, data_offset and each
// tensor's offset and n_bytes from its shape. general.alignment is written when it is not the default.
std::vector<std::byte> encode_gguf_header(GgufFile& file);

// Writes a GGUF file: the header at once, then the tensors' bytes in any order, from several threads if
// wanted.
class GgufWriter {
public:
    // `file` names metadata and tensors; its offsets are assigned here.
    GgufWriter(const std::string& path, GgufFile file);

    const GgufFile& file() const { return file_; }
    std::uint64_t data_bytes() const;  // of all tensors, padding left out

    // Bytes [offset, offset + bytes.size()) of tensor `index`, each byte of the file once. Thread-safe.
    // Throws ERR_NEOX_INTERNAL outside the tensor, ERR_NEOX_IO.
    void write(std::size_t index, std::uint64_t offset, std::span<const std::byte> bytes);
    // Makes the file appear under its name. Throws ERR_NEOX_INTERNAL when data is missing.
    void commit();

private:
    GgufFile file_;
    OutputFile out_;
    std::atomic<std::uint64_t> written_{0};
};

}  // namespace neox
