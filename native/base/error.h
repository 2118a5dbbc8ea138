// Typed errors: a closed list of stable codes (mirrored by lib/errors.ts) and the one exception type of the core.
#pragma once

#include <cstdint>
#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace neox {

// X(enumerator, stable name seen by JavaScript). One code per thing that a caller would handle differently,
// and one per way in which a model file can be wrong.
#define NEOX_ERROR_CODES(X)                                                                                  \
    X(invalid_argument, "ERR_NEOX_INVALID_ARGUMENT")                                                         \
    X(file_not_found, "ERR_NEOX_FILE_NOT_FOUND")                                                             \
    X(io, "ERR_NEOX_IO")                                                                                     \
    X(format_magic, "ERR_NEOX_FORMAT_MAGIC")                                                                 \
    X(format_version, "ERR_NEOX_FORMAT_VERSION")                                                             \
    X(format_truncated, "ERR_NEOX_FORMAT_TRUNCATED")                                                         \
    X(format_overflow, "ERR_NEOX_FORMAT_OVERFLOW")                                                           \
    X(format_limit, "ERR_NEOX_FORMAT_LIMIT")                                                                 \
    X(format_duplicate, "ERR_NEOX_FORMAT_DUPLICATE")                                                         \
    X(format_offset, "ERR_NEOX_FORMAT_OFFSET")                                                               \
    X(format_type, "ERR_NEOX_FORMAT_TYPE")                                                                   \
    X(format_shape, "ERR_NEOX_FORMAT_SHAPE")                                                                 \
    X(format_value, "ERR_NEOX_FORMAT_VALUE")                                                                 \
    X(format_missing, "ERR_NEOX_FORMAT_MISSING")                                                             \
    X(format_syntax, "ERR_NEOX_FORMAT_SYNTAX")                                                               \
    X(unsupported, "ERR_NEOX_UNSUPPORTED")                                                                   \
    X(no_tokenizer, "ERR_NEOX_NO_TOKENIZER")                                                                 \
    X(out_of_memory, "ERR_NEOX_OUT_OF_MEMORY")                                                               \
    X(context_full, "ERR_NEOX_CONTEXT_FULL")                                                                 \
    X(kv_full, "ERR_NEOX_KV_FULL")                                                                           \
    X(session_mismatch, "ERR_NEOX_SESSION_MISMATCH")                                                         \
    X(nan_logits, "ERR_NEOX_NAN")                                                                            \
    X(busy, "ERR_NEOX_BUSY")                                                                                 \
    X(disposed, "ERR_NEOX_DISPOSED")                                                                         \
    X(cancelled, "ERR_NEOX_CANCELLED")                                                                       \
    X(isa, "ERR_NEOX_ISA")                                                                                   \
    X(backend, "ERR_NEOX_BACKEND")                                                                           \
    X(internal, "ERR_NEOX_INTERNAL")

enum class ErrorCode : std::int32_t {
    ok = 0,
#define NEOX_ERROR_ENUM(name, text) name,
    NEOX_ERROR_CODES(NEOX_ERROR_ENUM)
#undef NEOX_ERROR_ENUM
};

// The stable name of a code, "ERR_NEOX_..."; "OK" for ok.
inline const char* error_code_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::ok: return "OK";
#define NEOX_ERROR_NAME(name, text)                                                                          \
    case ErrorCode::name: return text;
            NEOX_ERROR_CODES(NEOX_ERROR_NAME)
#undef NEOX_ERROR_NAME
    }
    return "ERR_NEOX_INTERNAL";
}

// The exception of the core. The message names what failed, on what, and the value.
class Error : public std::exception {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
    ErrorCode code() const noexcept { return code_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    ErrorCode code_;
    std::string message_;
};

// Joins its arguments into one string: text("row ", 3, " of ", name).
template <class... Args> std::string text(const Args&... args) {
    std::ostringstream out;
    (out << ... << args);
    return out.str();
}

template <class... Args> [[noreturn]] void fail(ErrorCode code, const Args&... args) {
    throw Error(code, text(args...));
}

}  // namespace neox
