// A bounded JSON reader for the headers and settings of model files. Input is untrusted: size, depth and
// number of values are limited, duplicate keys are refused, text must be UTF-8 without a byte order mark.
// NaN, Infinity and -Infinity, which Python's json writes, are read as numbers; the caller judges them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace neox {

class JsonValue;

struct JsonNumber {
    double value = 0;          // infinite when the text is out of double's range
    std::int64_t integer = 0;  // exact when is_integer
    bool is_integer = false;   // written as digits only ("-0" is not one) and within 64 bits
};

struct JsonMember;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;  // in the order of the text, keys unique

// A typed getter throws ERR_NEOX_FORMAT_TYPE with `what`, the name of the thing in messages, and the kind it
// found.
class JsonValue {
public:
    using Storage = std::variant<std::monostate, bool, JsonNumber, std::string, JsonArray, JsonObject>;

    JsonValue();
    explicit JsonValue(Storage value);

    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    bool is_bool() const { return std::holds_alternative<bool>(value_); }
    bool is_number() const { return std::holds_alternative<JsonNumber>(value_); }
    bool is_string() const { return std::holds_alternative<std::string>(value_); }
    bool is_array() const { return std::holds_alternative<JsonArray>(value_); }
    bool is_object() const { return std::holds_alternative<JsonObject>(value_); }

    bool as_bool(std::string_view what) const;
    double as_number(std::string_view what) const;
    std::int64_t as_integer(std::string_view what) const;
    const std::string& as_string(std::string_view what) const;
    const JsonArray& as_array(std::string_view what) const;
    const JsonObject& as_object(std::string_view what) const;

    // A member of an object; nullptr when it is absent or this is no object.
    const JsonValue* find(std::string_view key) const;
    // As find, but a member that is null counts as absent.
    const JsonValue* find_set(std::string_view key) const;

    const char* kind() const;     // "number"
    std::string to_text() const;  // JSON, for messages and inspect; arrays and objects in full

private:
    Storage value_;
};

struct JsonMember {
    std::string key;
    JsonValue value;
};

// Here, because they need JsonMember whole.
inline JsonValue::JsonValue() = default;
inline JsonValue::JsonValue(Storage value) : value_(std::move(value)) {}

struct JsonLimits {
    std::size_t max_bytes = std::size_t{4} << 20;
    std::size_t max_depth = 32;
    std::size_t max_values = 200'000;
};

// Throws ERR_NEOX_FORMAT_SYNTAX with the byte position, ERR_NEOX_FORMAT_DUPLICATE or ERR_NEOX_FORMAT_LIMIT.
// `what` names the text in messages.
JsonValue parse_json(std::string_view json, std::string_view what, const JsonLimits& limits = {});

// A string as a JSON literal, quotes included.
std::string json_quote(std::string_view text);

}  // namespace neox
