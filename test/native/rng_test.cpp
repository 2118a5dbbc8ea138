#include "base/rng.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/exact_math.h"
#include "check.h"

namespace {

using Words = std::array<std::uint32_t, 4>;

std::uint64_t bits_of(double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Distance in representable numbers; both positive or both negative.
std::uint64_t ulps(double a, double b) {
    const std::uint64_t x = bits_of(a), y = bits_of(b);
    return x > y ? x - y : y - x;
}

// FNV-1a over the bits of a function's values on a grid.
template <class Function> std::uint64_t fingerprint(double from, double step, int count, Function function) {
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (int i = 0; i < count; ++i) hash = (hash ^ bits_of(function(from + i * step))) * 0x100000001b3ull;
    return hash;
}

TEST(philox_gives_the_published_vectors) {
    const Words zeros = neox::philox4x32({0, 0, 0, 0}, {0, 0});
    CHECK((zeros == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    const std::uint32_t ones = 0xffffffff;
    const Words all = neox::philox4x32({ones, ones, ones, ones}, {ones, ones});
    CHECK((all == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    const Words pi =
        neox::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    CHECK((pi == Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(draws_are_uniform_and_depend_on_every_part_of_the_key) {
    const int n = 20000;
    double sum = 0.0;
    std::vector<int> tenths(10);
    for (int i = 0; i < n; ++i) {
        const double u = neox::uniform_draw(7, 0, static_cast<std::uint64_t>(i));
        CHECK(u >= 0.0 && u < 1.0);
        sum += u;
        ++tenths[static_cast<std::size_t>(u * 10)];
    }
    CHECK_NEAR(sum / n, 0.5, 0.01);
    for (const int count : tenths) CHECK_NEAR(count, n / 10, 200);
    const double draw = neox::uniform_draw(1, 2, 3);
    CHECK_EQ(draw, neox::uniform_draw(1, 2, 3));
    CHECK(draw != neox::uniform_draw(2, 2, 3));
    CHECK(draw != neox::uniform_draw(1, 3, 3));
    CHECK(draw != neox::uniform_draw(1, 2, 4));
    CHECK(draw != neox::uniform_draw(1 + (1ull << 32), 2, 3));
    CHECK(draw != neox::uniform_draw(1, 2, 3 + (1ull << 32)));
}

TEST(exp_and_log_are_within_an_ulp) {
    for (int i = 0; i < 200000; ++i) {
        const double x = -708.0 + i * 0.00708731;
        CHECK(ulps(neox::exact_exp(x), std::exp(x)) <= 1);
        const double y = std::exp(x) * (1.0 + neox::uniform_draw(1, 0, static_cast<std::uint64_t>(i)));
        CHECK(ulps(neox::exact_log(y), std::log(y)) <= 1);
        const double z = 0.5 + i * 1e-5;  // around 1, where the logarithm is small
        CHECK(std::log(z) == 0.0 ? neox::exact_log(z) == 0.0 : ulps(neox::exact_log(z), std::log(z)) <= 1);
    }
}

TEST(exp_and_log_keep_their_edges) {
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK_EQ(neox::exact_exp(0.0), 1.0);
    CHECK_EQ(neox::exact_exp(infinity), infinity);
    CHECK_EQ(neox::exact_exp(710.0), infinity);
    CHECK_EQ(neox::exact_exp(-infinity), 0.0);
    CHECK_EQ(neox::exact_exp(-746.0), 0.0);
    CHECK_NEAR(neox::exact_exp(-745.0), 5e-324, 0.0);
    CHECK_EQ(neox::exact_log(1.0), 0.0);
    CHECK_EQ(neox::exact_log(0.0), -infinity);
    CHECK_EQ(neox::exact_log(infinity), infinity);
    CHECK_NEAR(neox::exact_log(5e-324), -744.44007192138126, 1e-12);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(neox::exact_log(-1.0)));
    CHECK(std::isnan(neox::exact_log(nan)));
    CHECK(std::isnan(neox::exact_exp(nan)));
    CHECK_EQ(neox::exact_pow(1.5, 0), 1.0);
    CHECK_EQ(neox::exact_pow(1.5, 5), 7.59375);
}

// The promise is the same bits on every machine, not only the same value: these were taken once.
TEST(exp_and_log_have_the_same_bits_everywhere) {
    CHECK_EQ(fingerprint(-745.5, 0.0145, 100000, neox::exact_exp), 0x988db9bdea9c111ull);
    CHECK_EQ(fingerprint(1e-6, 0.00137, 100000, neox::exact_log), 0x5da668fb38a8fb20ull);
}

TEST(log_sum_exp_over_floats) {
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK_NEAR(neox::log_sum_exp(std::vector<float>{0.0f, 0.0f, 0.0f, 0.0f}).total(), std::log(4.0), 1e-15);
    CHECK_NEAR(neox::log_sum_exp(std::vector<float>{-infinity, 3.0f, -infinity}).total(), 3.0, 0.0);
    CHECK_NEAR(neox::log_sum_exp(std::vector<float>{1000.0f, 1000.0f}).total(), 1000.0 + std::log(2.0),
               1e-12);
    CHECK_EQ(neox::log_sum_exp(std::vector<float>{-infinity}).total(), -static_cast<double>(infinity));
    const float huge = 1e30f;
    CHECK_NEAR(neox::log_sum_exp(std::vector<float>{huge, huge}).log_share(huge), -std::log(2.0), 1e-15);
    CHECK_EQ(neox::log_sum_exp({}).total(), -static_cast<double>(infinity));
    CHECK(std::isnan(neox::log_sum_exp(std::vector<float>{1.0f, std::nanf("")}).total()));
    CHECK(std::isnan(neox::log_sum_exp(std::vector<float>{1.0f, infinity}).total()));
}

}  // namespace
