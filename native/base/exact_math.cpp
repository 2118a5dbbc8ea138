#include "base/exact_math.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace neox {
namespace {

// ln 2 as a sum of two: the products of the first with integers below 2^21 are exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// 2^n for n in [-1022, 1023].
double power_of_two(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

}  // namespace

double exact_exp(double x) {
    if (!(x == x)) return x;
    if (x > 709.79) return kInfinity;
    if (x < -745.2) return 0.0;
    // x = n ln 2 + r with |r| <= 0.35; adding 1.5 * 2^52 rounds to the nearest integer.
    constexpr double kRound = 0x1.8p52;
    const double n = (x * 0x1.71547652b82fep0 + kRound) - kRound;
    const double r = (x - n * kLn2High) - n * kLn2Low;
    // Taylor: the term left out, r^14 / 14!, is below 2^-57.
    constexpr double kFactors[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                   1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                   1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
    double sum = 0.0;
    for (const double factor : kFactors) sum = sum * r + factor;
    const double result = 1.0 + (r + r * r * sum);
    // In two steps, since 2^n alone may leave the range.
    const int exponent = static_cast<int>(n);
    const int half = exponent / 2;
    return result * power_of_two(half) * power_of_two(exponent - half);
}

double exact_log(double x) {
    if (!(x == x)) return x;
    if (x < 0.0) return kNan;
    if (x == 0.0) return -kInfinity;
    if (x == kInfinity) return x;
    int exponent = 0;
    if (x < std::numeric_limits<double>::min()) {
        x *= 0x1p54;
        exponent = -54;
    }
    // x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)).
    std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
    exponent += static_cast<int>(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
    double m = std::bit_cast<double>(bits);
    if (m > 0x1.6a09e667f3bcdp0) {
        m *= 0.5;
        ++exponent;
    }
    // log m = 2 atanh s, s = (m - 1) / (m + 1), |s| <= 0.1716; written as f - (f^2/2 - s (f^2/2 + rest)) so
    // that the exact f = m - 1 carries the result. The term left out, 2 s^25 / 25, is below 2^-66.
    const double f = m - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    constexpr double kFactors[] = {2.0 / 23.0, 2.0 / 21.0, 2.0 / 19.0, 2.0 / 17.0, 2.0 / 15.0, 2.0 / 13.0,
                                   2.0 / 11.0, 2.0 / 9.0,  2.0 / 7.0,  2.0 / 5.0,  2.0 / 3.0};
    double sum = 0.0;
    for (const double factor : kFactors) sum = sum * z + factor;
    const double half_square = 0.5 * f * f;
    const double n = exponent;
    const double low = s * (half_square + z * sum) + n * kLn2Low;
    return n * kLn2High - ((half_square - low) - f);
}

double exact_pow(double base, int exponent) {
    double result = 1.0;
    for (double square = base; exponent > 0; exponent >>= 1, square *= square) {
        if (exponent & 1) result *= square;
    }
    return result;
}

LogSum log_sum_exp(std::span<const float> values) {
    double largest = -kInfinity;
    for (const float value : values) {
        if (!(value < kInfinity)) return {kNan, kNan};
        if (value > largest) largest = value;
    }
    if (largest == -kInfinity) return {largest, 0.0};
    double sum = 0.0;
    for (const float value : values) sum += exact_exp(value - largest);
    return {largest, exact_log(sum)};
}

}  // namespace neox
