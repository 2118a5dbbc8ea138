#include "mutate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace fuzz {
namespace {

constexpr std::size_t kLargestInput = std::size_t{64} << 10;

std::array<std::uint64_t, 12> edges(std::size_t size) {
    return {0,
            1,
            (1ull << 31) - 1,
            1ull << 31,
            (1ull << 32) - 1,
            1ull << 32,
            (1ull << 63) - 1,
            1ull << 63,
            ~0ull,
            std::uint64_t{size} - 1,
            size,
            std::uint64_t{size} + 1};
}

// Overwrites up to n_bytes of the input at `offset`, fewer at its end.
void put(Input& input, std::size_t offset, std::uint64_t value, std::size_t n_bytes) {
    for (std::size_t i = 0; i < n_bytes && offset + i < input.size(); ++i)
        input[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

void flip(Input& input, std::size_t bit) { input[bit / 8] ^= static_cast<std::byte>(1 << bit % 8); }

struct Range {
    std::size_t begin, length;
};

Range random_range(std::size_t size, Random& random) {
    const std::size_t begin = random.below(size);
    const std::size_t most = std::min<std::size_t>(size - begin, std::size_t{1} << random.below(10));
    return {begin, 1 + random.below(most)};
}

void replace_number(Input& input, Random& random) {
    // A run of digits, as JSON has them, becomes another number.
    static constexpr const char* kNumbers[] = {"0",   "-1", "1e999", "2147483648", "9223372036854775807",
                                               "1.5", "-0", "NaN",   "1048577",    "18446744073709551616"};
    const auto is_digit = [](std::byte b) { return b >= std::byte{'0'} && b <= std::byte{'9'}; };
    const std::size_t from = random.below(input.size());
    auto begin = std::find_if(input.begin() + static_cast<std::ptrdiff_t>(from), input.end(), is_digit);
    if (begin == input.end()) return;
    const auto end = std::find_if_not(begin, input.end(), is_digit);
    const std::string number = kNumbers[random.below(std::size(kNumbers))];
    begin = input.erase(begin, end);
    const auto* text = reinterpret_cast<const std::byte*>(number.data());
    input.insert(begin, text, text + number.size());
}

void copy_block(Input& input, Random& random) {
    const Range from = random_range(input.size(), random);
    const auto begin = input.begin() + static_cast<std::ptrdiff_t>(from.begin);
    const Input block(begin, begin + static_cast<std::ptrdiff_t>(from.length));
    const auto to = static_cast<std::ptrdiff_t>(random.below(input.size()));
    if (random.below(2) == 0)
        input.insert(input.begin() + to, block.begin(), block.end());
    else
        std::copy_n(block.begin(), std::min(block.size(), input.size() - static_cast<std::size_t>(to)),
                    input.begin() + to);
}

void erase_block(Input& input, Random& random) {
    const Range range = random_range(input.size(), random);
    const auto begin = input.begin() + static_cast<std::ptrdiff_t>(range.begin);
    input.erase(begin, begin + static_cast<std::ptrdiff_t>(range.length));
}

void splice(Input& input, const Input& other, Random& random) {
    if (other.empty()) return;
    input.resize(random.below(input.size()) + 1);
    input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(random.below(other.size())),
                 other.end());
}

void change(Input& input, const Input& other, Random& random) {
    switch (random.below(8)) {
        case 0: flip(input, random.below(input.size() * 8)); return;
        case 1: input[random.below(input.size())] = static_cast<std::byte>(random.next()); return;
        case 2: {
            const auto values = edges(input.size());
            const std::size_t width = std::size_t{1} << random.below(4);
            put(input, random.below(input.size()), values[random.below(values.size())], width);
            return;
        }
        case 3: input.resize(random.below(input.size()) + 1); return;
        case 4: copy_block(input, random); return;
        case 5: erase_block(input, random); return;
        case 6: replace_number(input, random); return;
        default: splice(input, other, random); return;
    }
}

}  // namespace

std::uint64_t Random::next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

std::uint64_t try_truncations(const Input& file, const Try& attempt) {
    Input input = file;
    for (std::size_t n = file.size(); n-- > 0;) {
        input.resize(n);
        attempt(input);
    }
    return file.size();
}

std::uint64_t try_bit_flips(const Input& file, std::uint64_t n_flips, Random& random, const Try& attempt) {
    const std::size_t n_bits = file.size() * 8;
    if (n_bits == 0) return 0;
    Input input = file;
    for (std::uint64_t i = 0; i < n_flips; ++i) {
        std::size_t group[8];
        const std::size_t n = i < n_bits ? 1 : 2 + random.below(7);
        for (std::size_t k = 0; k < n; ++k) {
            group[k] = i < n_bits ? static_cast<std::size_t>(i) : random.below(n_bits);
            flip(input, group[k]);
        }
        attempt(input);
        for (std::size_t k = 0; k < n; ++k) flip(input, group[k]);
    }
    return n_flips;
}

std::uint64_t try_edge_integers(const Input& file, std::uint64_t n_most, const Try& attempt) {
    std::uint64_t n_tried = 0;
    Input input = file;
    const auto values = edges(file.size());
    constexpr std::size_t kEachOffset = 21;  // 12 of 8 bytes, 9 of 4 bytes
    const std::size_t stride =
        1 + static_cast<std::size_t>(file.size() * kEachOffset / std::max<std::uint64_t>(n_most, 1));
    for (std::size_t offset = 0; offset < file.size(); offset += offset < 512 ? 1 : stride) {
        for (const std::uint64_t value : values) {
            for (const std::size_t width : {std::size_t{8}, std::size_t{4}}) {
                if (width == 4 && value >> 32 != 0) continue;
                put(input, offset, value, width);
                attempt(input);
                ++n_tried;
                std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(offset),
                            std::min<std::size_t>(8, file.size() - offset),
                            input.begin() + static_cast<std::ptrdiff_t>(offset));
            }
        }
    }
    return n_tried;
}

Input mutate(const Input& file, const Input& other, Random& random) {
    Input input = file;
    if (input.empty()) input.push_back(std::byte{0});
    const std::size_t n_changes = 1 + random.below(4);
    for (std::size_t i = 0; i < n_changes && !input.empty(); ++i) change(input, other, random);
    if (input.size() > kLargestInput) input.resize(kLargestInput);
    return input;
}

}  // namespace fuzz
