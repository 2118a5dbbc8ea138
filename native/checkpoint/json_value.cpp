#include <cmath>
#include <iomanip>
#include <locale>
#include <sstream>

#include "base/error.h"
#include "checkpoint/json.h"

namespace neox {
namespace {

[[noreturn]] void fail_kind(const JsonValue& value, std::string_view what, const char* expected) {
    std::string found = value.to_text();
    if (found.size() > 60) found = value.kind();
    fail(ErrorCode::format_type, what, " is ", found, "; ", expected, " was expected.");
}

std::string number_text(const JsonNumber& number) {
    if (number.is_integer) return text(number.integer);
    if (std::isnan(number.value)) return "NaN";
    if (std::isinf(number.value)) return number.value > 0 ? "Infinity" : "-Infinity";
    // The shorter of two precisions, where it reads back as the same number.
    for (const int precision : {15, 17}) {
        std::ostringstream out;
        out.imbue(std::locale::classic());
        out << std::setprecision(precision) << number.value;
        std::istringstream in(out.str());
        in.imbue(std::locale::classic());
        double back = 0;
        if (precision == 17 || (in >> back && back == number.value)) return out.str();
    }
    return {};
}

}  // namespace

bool JsonValue::as_bool(std::string_view what) const {
    if (const auto* v = std::get_if<bool>(&value_)) return *v;
    fail_kind(*this, what, "true or false");
}

double JsonValue::as_number(std::string_view what) const {
    if (const auto* v = std::get_if<JsonNumber>(&value_)) return v->value;
    fail_kind(*this, what, "a number");
}

std::int64_t JsonValue::as_integer(std::string_view what) const {
    if (const auto* v = std::get_if<JsonNumber>(&value_); v && v->is_integer) return v->integer;
    fail_kind(*this, what, "an integer");
}

const std::string& JsonValue::as_string(std::string_view what) const {
    if (const auto* v = std::get_if<std::string>(&value_)) return *v;
    fail_kind(*this, what, "a string");
}

const JsonArray& JsonValue::as_array(std::string_view what) const {
    if (const auto* v = std::get_if<JsonArray>(&value_)) return *v;
    fail_kind(*this, what, "an array");
}

const JsonObject& JsonValue::as_object(std::string_view what) const {
    if (const auto* v = std::get_if<JsonObject>(&value_)) return *v;
    fail_kind(*this, what, "an object");
}

const JsonValue* JsonValue::find(std::string_view key) const {
    const auto* object = std::get_if<JsonObject>(&value_);
    if (!object) return nullptr;
    for (const JsonMember& member : *object)
        if (member.key == key) return &member.value;
    return nullptr;
}

const JsonValue* JsonValue::find_set(std::string_view key) const {
    const JsonValue* found = find(key);
    return found && !found->is_null() ? found : nullptr;
}

const char* JsonValue::kind() const {
    static constexpr const char* kKinds[] = {"null", "bool", "number", "string", "array", "object"};
    return kKinds[value_.index()];
}

std::string JsonValue::to_text() const {
    if (const auto* b = std::get_if<bool>(&value_)) return *b ? "true" : "false";
    if (const auto* n = std::get_if<JsonNumber>(&value_)) return number_text(*n);
    if (const auto* s = std::get_if<std::string>(&value_)) return json_quote(*s);
    if (const auto* a = std::get_if<JsonArray>(&value_)) {
        std::string out = "[";
        for (const JsonValue& v : *a) out += (out.size() > 1 ? ", " : "") + v.to_text();
        return out + "]";
    }
    if (const auto* o = std::get_if<JsonObject>(&value_)) {
        std::string out = "{";
        for (const auto& [key, v] : *o)
            out += (out.size() > 1 ? ", " : "") + json_quote(key) + ": " + v.to_text();
        return out + "}";
    }
    return "null";
}

std::string json_quote(std::string_view s) {
    std::string out = "\"";
    for (const char c : s) {
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    static constexpr char kHex[] = "0123456789abcdef";
                    out += "\\u00";
                    out.push_back(kHex[c >> 4]);
                    out.push_back(kHex[c & 15]);
                } else {
                    out.push_back(c);
                }
        }
    }
    return out + "\"";
}

}  // namespace neox
