#include "checkpoint/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

#include "base/error.h"
#include "base/printable.h"
#include "base/utf8.h"

namespace neox {
namespace {

class Parser {
public:
    Parser(std::string_view json, std::string_view what, const JsonLimits& limits)
        : text_(json), what_(what), limits_(limits) {}

    JsonValue run() {
        if (text_.size() > limits_.max_bytes)
            fail(ErrorCode::format_limit, what_, " has ", text_.size(), " bytes; at most ", limits_.max_bytes,
                 " are accepted.");
        if (text_.starts_with("\xEF\xBB\xBF")) fail_syntax("a byte order mark");
        if (!is_valid_utf8(text_)) fail(ErrorCode::format_syntax, what_, " is not valid UTF-8.");
        JsonValue value = read_value(0);
        skip_space();
        if (at_ < text_.size()) fail_syntax("more text after the end");
        return value;
    }

private:
    [[noreturn]] void fail_syntax(const char* found) const {
        fail(ErrorCode::format_syntax, what_, ": ", found, " at byte ", at_, ".");
    }

    void skip_space() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }

    char peek() const {
        if (at_ == text_.size()) fail_syntax("the text ends");
        return text_[at_];
    }

    bool accept(std::string_view literal) {
        if (text_.substr(at_, literal.size()) != literal) return false;
        at_ += literal.size();
        return true;
    }

    JsonValue read_value(std::size_t depth) {
        if (depth > limits_.max_depth)
            fail(ErrorCode::format_limit, what_, " is nested more than ", limits_.max_depth, " levels deep.");
        if (++n_values_ > limits_.max_values)
            fail(ErrorCode::format_limit, what_, " holds more than ", limits_.max_values, " values.");
        skip_space();
        const char c = peek();
        if (c == '{') return read_object(depth);
        if (c == '[') return read_array(depth);
        if (c == '"') return JsonValue(read_string());
        if (accept("null")) return {};
        if (accept("true")) return JsonValue(true);
        if (accept("false")) return JsonValue(false);
        constexpr double kInfinity = std::numeric_limits<double>::infinity();
        if (accept("NaN")) return JsonValue(JsonNumber{std::numeric_limits<double>::quiet_NaN(), 0, false});
        if (accept("Infinity")) return JsonValue(JsonNumber{kInfinity, 0, false});
        if (accept("-Infinity")) return JsonValue(JsonNumber{-kInfinity, 0, false});
        return read_number();
    }

    JsonValue read_object(std::size_t depth) {
        ++at_;
        JsonObject object;
        skip_space();
        if (peek() == '}') {
            ++at_;
            return JsonValue(std::move(object));
        }
        for (;;) {
            skip_space();
            if (peek() != '"') fail_syntax("something other than a key");
            std::string key = read_string();
            skip_space();
            if (peek() != ':') fail_syntax("a key without ':'");
            ++at_;
            JsonValue value = read_value(depth + 1);
            object.push_back({std::move(key), std::move(value)});
            skip_space();
            const char c = peek();
            if (c != ',' && c != '}') fail_syntax("neither ',' nor '}'");
            ++at_;
            if (c == '}') break;
        }
        refuse_duplicates(object);
        return JsonValue(std::move(object));
    }

    // Readers differ in which of two equal keys they keep, so a file that has them means different things to
    // them.
    void refuse_duplicates(const JsonObject& object) const {
        std::vector<std::string_view> keys;
        keys.reserve(object.size());
        for (const JsonMember& member : object) keys.push_back(member.key);
        std::sort(keys.begin(), keys.end());
        const auto twice = std::adjacent_find(keys.begin(), keys.end());
        if (twice != keys.end())
            fail(ErrorCode::format_duplicate, what_, ": the key '", printable(*twice), "' occurs twice.");
    }

    JsonValue read_array(std::size_t depth) {
        ++at_;
        JsonArray array;
        skip_space();
        if (peek() == ']') {
            ++at_;
            return JsonValue(std::move(array));
        }
        for (;;) {
            array.push_back(read_value(depth + 1));
            skip_space();
            const char c = peek();
            if (c != ',' && c != ']') fail_syntax("neither ',' nor ']'");
            ++at_;
            if (c == ']') return JsonValue(std::move(array));
        }
    }

    unsigned read_hex4() {
        unsigned value = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = peek();
            unsigned digit;
            if (c >= '0' && c <= '9')
                digit = static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f')
                digit = static_cast<unsigned>(c - 'a') + 10;
            else if (c >= 'A' && c <= 'F')
                digit = static_cast<unsigned>(c - 'A') + 10;
            else
                fail_syntax("a bad \\u escape");
            value = value * 16 + digit;
        }
        return value;
    }

    void read_unicode_escape(std::string& out) {
        unsigned code = read_hex4();
        if (code >= 0xDC00 && code <= 0xDFFF) fail_syntax("a low surrogate without a high one");
        if (code >= 0xD800 && code <= 0xDBFF) {
            if (!accept("\\u")) fail_syntax("a high surrogate without a low one");
            const unsigned low = read_hex4();
            if (low < 0xDC00 || low > 0xDFFF) fail_syntax("a high surrogate without a low one");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        const auto put = [&](unsigned b) { out.push_back(static_cast<char>(b)); };
        if (code < 0x80) {
            put(code);
        } else if (code < 0x800) {
            put(0xC0 | code >> 6), put(0x80 | (code & 63));
        } else if (code < 0x10000) {
            put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
        } else {
            put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 63)), put(0x80 | (code >> 6 & 63)),
                put(0x80 | (code & 63));
        }
    }

    std::string read_string() {
        ++at_;
        std::string out;
        for (;;) {
            std::size_t end = at_;
            while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
                   static_cast<unsigned char>(text_[end]) >= 0x20)
                ++end;
            out.append(text_.substr(at_, end - at_));
            at_ = end;
            const char c = peek();
            if (c == '"') {
                ++at_;
                return out;
            }
            if (c != '\\') fail_syntax("a control character in a string");
            ++at_;
            const char escape = peek();
            ++at_;
            switch (escape) {
                case '"':
                case '\\':
                case '/': out.push_back(escape); break;
                case 'b': out.push_back('\b'); break;
                case 'f': out.push_back('\f'); break;
                case 'n': out.push_back('\n'); break;
                case 'r': out.push_back('\r'); break;
                case 't': out.push_back('\t'); break;
                case 'u': read_unicode_escape(out); break;
                default: fail_syntax("an unknown escape");
            }
        }
    }

    std::size_t skip_digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        return at_ - begin;
    }

    JsonValue read_number() {
        const std::size_t begin = at_;
        const bool negative = accept("-");
        const std::size_t first = at_;
        const std::size_t n_digits = skip_digits();
        if (n_digits == 0 || (n_digits > 1 && text_[first] == '0')) fail_syntax("no value");
        bool integral = true;
        if (accept(".")) {
            integral = false;
            if (skip_digits() == 0) fail_syntax("a number without digits after the point");
        }
        if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
            integral = false;
            ++at_;
            if (!accept("+")) accept("-");
            if (skip_digits() == 0) fail_syntax("a number without digits in the exponent");
        }
        JsonNumber number;
        if (integral) to_integer(text_.substr(first, n_digits), negative, number);
        // A vocabulary holds a number for each token; a stream for each would take longer than all the rest.
        constexpr std::int64_t kExact = std::int64_t{1} << 53;
        if (number.is_integer && number.integer >= -kExact && number.integer <= kExact)
            number.value = static_cast<double>(number.integer);
        else
            number.value = to_double(text_.substr(begin, at_ - begin));
        return JsonValue(number);
    }

    static double to_double(std::string_view digits) {
        // A stream with the classic locale: std::from_chars for floats is missing from some standard
        // libraries, and strtod follows the process's locale.
        std::istringstream in{std::string(digits)};
        in.imbue(std::locale::classic());
        double value = 0;
        if (in >> value) return value;
        // Out of range: the stream gives the nearest finite value, Python's reader infinity.
        if (std::abs(value) < 1.0) return value;
        return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    }

    static void to_integer(std::string_view digits, bool negative, JsonNumber& number) {
        if (negative && digits == "0") return;
        std::int64_t value = 0;
        for (const char c : digits) {
            const int digit = c - '0';
            constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
            // Accumulated as a negative number, whose range is larger by one.
            if (value < (kMin + digit) / 10) return;
            value = value * 10 - digit;
        }
        if (!negative && value == std::numeric_limits<std::int64_t>::min()) return;
        number.integer = negative ? value : -value;
        number.is_integer = true;
    }

    std::string_view text_;
    std::string_view what_;
    const JsonLimits& limits_;
    std::size_t at_ = 0;
    std::size_t n_values_ = 0;
};

}  // namespace

JsonValue parse_json(std::string_view json, std::string_view what, const JsonLimits& limits) {
    return Parser(json, what, limits).run();
}

}  // namespace neox
