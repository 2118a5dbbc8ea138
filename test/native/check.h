// The test framework: TEST(name) { CHECK(...); } registers itself, main.cpp runs what is registered.
// A failed check throws, so a test stops at its first failure.
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace neox_check {

struct Test {
    const char* name;
    void (*run)();
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class... Args> [[noreturn]] void failed(const char* file, int line, const Args&... args) {
    throw Failure(neox::text(file, ":", line, ": ", args...));
}

// a == b, by value also where one integer is signed and the other is not.
template <class A, class B> bool equal(const A& a, const B& b) {
    if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {
        return std::cmp_equal(+a, +b);
    } else {
        return a == b;
    }
}

// What an expression throws: its stable code, or "no error" / the message of an exception of another type.
template <class Function> std::string code_thrown_by(Function&& function) {
    try {
        function();
    } catch (const neox::Error& error) {
        return neox::error_code_name(error.code());
    } catch (const std::exception& error) {
        return neox::text("another exception: ", error.what());
    }
    return "no error";
}

}  // namespace neox_check

#define TEST(name)                                                                                           \
    static void test_##name();                                                                               \
    [[maybe_unused]] static const bool registered_##name =                                                   \
        (neox_check::tests().push_back({#name, test_##name}), true);                                         \
    static void test_##name()

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) neox_check::failed(__FILE__, __LINE__, "expected ", #condition);                   \
    } while (false)

#define CHECK_EQ(actual, expected)                                                                           \
    do {                                                                                                     \
        const auto check_a = (actual);                                                                       \
        const auto check_e = (expected);                                                                     \
        if (!neox_check::equal(check_a, check_e))                                                            \
            neox_check::failed(__FILE__, __LINE__, #actual " is ", check_a, ", expected ", check_e);         \
    } while (false)

// |actual - expected| <= tolerance; a NaN fails.
#define CHECK_NEAR(actual, expected, tolerance)                                                              \
    do {                                                                                                     \
        const double check_a = (actual), check_e = (expected), check_t = (tolerance);                        \
        if (!(std::fabs(check_a - check_e) <= check_t))                                                      \
            neox_check::failed(__FILE__, __LINE__, #actual " is ", check_a, ", expected ", check_e, " +- ",  \
                               check_t);                                                                     \
    } while (false)

// The expression throws neox::Error with neox::ErrorCode::<code>.
#define CHECK_THROWS(expression, code)                                                                       \
    CHECK_EQ(neox_check::code_thrown_by([&] { static_cast<void>(expression); }),                             \
             std::string(neox::error_code_name(neox::ErrorCode::code)))
