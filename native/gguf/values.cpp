#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "gguf/gguf.h"

namespace neox {
namespace {

[[noreturn]] void fail_type(std::string_view key, const GgufValue& value, const char* expected) {
    fail(ErrorCode::format_type, "Metadata '", key, "' has type ", gguf_type_name(value.type), "; ", expected,
         " was expected.");
}

template <class T> T require(std::optional<T> value, std::string_view key) {
    if (!value) fail(ErrorCode::format_missing, "Metadata '", key, "' is missing.");
    return std::move(*value);
}

template <class T> GgufValue number_array(GgufType element, std::span<const T> v) {
    GgufArray array{element, v.size(), {}, {}};
    array.bytes.resize(v.size_bytes());
    if (!v.empty()) std::memcpy(array.bytes.data(), v.data(), v.size_bytes());
    return {GgufType::array, std::move(array)};
}

// Reads n elements of type T as Out; false when one does not fit.
template <class T, class Out> bool convert(const GgufArray& array, std::vector<Out>& out) {
    out.resize(static_cast<std::size_t>(array.count));
    for (std::size_t i = 0; i < out.size(); ++i) {
        T v;
        std::memcpy(&v, array.bytes.data() + i * sizeof(T), sizeof(T));
        out[i] = static_cast<Out>(v);
        if constexpr (std::is_integral_v<T>) {
            if (static_cast<T>(out[i]) != v || (out[i] < Out{0}) != (v < T{0})) return false;
        }
    }
    return true;
}

template <class T> void append_numbers(const GgufArray& array, std::size_t n, std::string& to) {
    for (std::size_t i = 0; i < n; ++i) {
        T v;
        std::memcpy(&v, array.bytes.data() + i * sizeof(T), sizeof(T));
        // A byte is a number, too.
        if constexpr (sizeof(T) == 1) {
            to += text(static_cast<int>(v), ", ");
        } else {
            to += text(v, ", ");
        }
    }
}

std::string array_text(const GgufArray& array) {
    constexpr std::uint64_t kShown = 6;
    const auto n = static_cast<std::size_t>(std::min(array.count, kShown));
    std::string shown = "[";
    switch (array.element) {
        case GgufType::u8: append_numbers<std::uint8_t>(array, n, shown); break;
        case GgufType::boolean:
        case GgufType::i8: append_numbers<std::int8_t>(array, n, shown); break;
        case GgufType::u16: append_numbers<std::uint16_t>(array, n, shown); break;
        case GgufType::i16: append_numbers<std::int16_t>(array, n, shown); break;
        case GgufType::u32: append_numbers<std::uint32_t>(array, n, shown); break;
        case GgufType::i32: append_numbers<std::int32_t>(array, n, shown); break;
        case GgufType::f32: append_numbers<float>(array, n, shown); break;
        case GgufType::u64: append_numbers<std::uint64_t>(array, n, shown); break;
        case GgufType::i64: append_numbers<std::int64_t>(array, n, shown); break;
        case GgufType::f64: append_numbers<double>(array, n, shown); break;
        default:
            for (std::size_t i = 0; i < n; ++i) shown += "\"" + array.strings[i] + "\", ";
    }
    if (n > 0) shown.resize(shown.size() - 2);
    if (n < array.count) shown += ", ...";
    return text(shown, "] (", array.count, " of type ", gguf_type_name(array.element), ")");
}

}  // namespace

const char* gguf_type_name(GgufType type) {
    static constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                             "bool", "string", "array", "u64", "i64", "f64"};
    return kNames[static_cast<std::uint32_t>(type)];
}

GgufValue GgufValue::strings(std::vector<std::string> v) {
    GgufArray array{GgufType::string, v.size(), {}, {}};
    array.strings = std::move(v);
    return {GgufType::array, std::move(array)};
}
GgufValue GgufValue::u8_array(std::span<const std::byte> v) { return number_array(GgufType::u8, v); }
GgufValue GgufValue::i32_array(std::span<const std::int32_t> v) { return number_array(GgufType::i32, v); }
GgufValue GgufValue::f32_array(std::span<const float> v) { return number_array(GgufType::f32, v); }

std::string GgufValue::to_text() const {
    if (const auto* array = std::get_if<GgufArray>(&value)) return array_text(*array);
    if (const auto* string = std::get_if<std::string>(&value)) return *string;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* real = std::get_if<double>(&value)) return text(*real);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return text(*integer);
    return text(std::get<std::uint64_t>(value));
}

std::optional<std::vector<std::int32_t>> GgufValue::as_i32_array() const {
    const auto* array = std::get_if<GgufArray>(&value);
    if (!array) return std::nullopt;
    std::vector<std::int32_t> out;
    bool fits = false;
    switch (array->element) {
        case GgufType::u8: fits = convert<std::uint8_t>(*array, out); break;
        case GgufType::i8: fits = convert<std::int8_t>(*array, out); break;
        case GgufType::u16: fits = convert<std::uint16_t>(*array, out); break;
        case GgufType::i16: fits = convert<std::int16_t>(*array, out); break;
        case GgufType::u32: fits = convert<std::uint32_t>(*array, out); break;
        case GgufType::i32: fits = convert<std::int32_t>(*array, out); break;
        case GgufType::u64: fits = convert<std::uint64_t>(*array, out); break;
        case GgufType::i64: fits = convert<std::int64_t>(*array, out); break;
        default: break;
    }
    if (!fits) return std::nullopt;
    return out;
}

std::optional<std::vector<float>> GgufValue::as_f32_array() const {
    const auto* array = std::get_if<GgufArray>(&value);
    std::vector<float> out;
    if (!array || array->element != GgufType::f32 || !convert<float>(*array, out)) return std::nullopt;
    return out;
}

const GgufValue* GgufFile::find(std::string_view key) const {
    for (const auto& [name, value] : metadata)
        if (name == key) return &value;
    return nullptr;
}

void GgufFile::set(const std::string& key, GgufValue value) {
    for (auto& [name, old] : metadata) {
        if (name != key) continue;
        old = std::move(value);
        return;
    }
    metadata.emplace_back(key, std::move(value));
}

std::optional<std::uint32_t> GgufFile::find_u32(std::string_view key) const {
    const GgufValue* found = find(key);
    if (!found) return std::nullopt;
    std::uint64_t v = 0;
    if (const auto* u = std::get_if<std::uint64_t>(&found->value)) {
        v = *u;
    } else if (const auto* i = std::get_if<std::int64_t>(&found->value)) {
        if (*i < 0)
            fail(ErrorCode::format_value, "Metadata '", key, "' is ", *i, ", but may not be negative.");
        v = static_cast<std::uint64_t>(*i);
    } else {
        fail_type(key, *found, "an integer");
    }
    if (v > std::numeric_limits<std::uint32_t>::max())
        fail(ErrorCode::format_value, "Metadata '", key, "' is ", v, ", which does not fit into 32 bits.");
    return static_cast<std::uint32_t>(v);
}

std::optional<float> GgufFile::find_f32(std::string_view key) const {
    const GgufValue* found = find(key);
    if (!found) return std::nullopt;
    if (const auto* v = std::get_if<double>(&found->value)) {
        // Out of float's range is undefined to convert; NaN and infinity pass and are for the caller to
        // judge.
        if (*v > std::numeric_limits<float>::max() || *v < std::numeric_limits<float>::lowest())
            return *v > 0 ? std::numeric_limits<float>::infinity() : -std::numeric_limits<float>::infinity();
        return static_cast<float>(*v);
    }
    fail_type(key, *found, "a float");
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
    const GgufValue* found = find(key);
    if (!found) return std::nullopt;
    if (const auto* v = std::get_if<bool>(&found->value)) return *v;
    fail_type(key, *found, "a bool");
}

std::optional<std::string> GgufFile::find_string(std::string_view key) const {
    const GgufValue* found = find(key);
    if (!found) return std::nullopt;
    if (const auto* v = std::get_if<std::string>(&found->value)) return *v;
    fail_type(key, *found, "a string");
}

std::uint32_t GgufFile::get_u32(std::string_view key) const { return require(find_u32(key), key); }
float GgufFile::get_f32(std::string_view key) const { return require(find_f32(key), key); }
bool GgufFile::get_bool(std::string_view key) const { return require(find_bool(key), key); }
std::string GgufFile::get_string(std::string_view key) const { return require(find_string(key), key); }

}  // namespace neox
