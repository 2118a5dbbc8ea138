// Mutations of a file for the driver: each is small, seeded, and known by its kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace fuzz {

using Input = std::vector<std::byte>;
using Try = std::function<void(const Input&)>;

// splitmix64: the same numbers from the same seed everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    // A number below n (> 0).
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

private:
    std::uint64_t state_;
};

// Every prefix, the empty one included. Returns the number of inputs tried.
std::uint64_t try_truncations(const Input& file, const Try& attempt);
// Every single bit once, then seeded groups of 2 to 8 bits, n_flips inputs in all.
std::uint64_t try_bit_flips(const Input& file, std::uint64_t n_flips, Random& random, const Try& attempt);
// {0, 1, 2^31 - 1, 2^31, 2^32 - 1, 2^32, 2^63 - 1, 2^63, 2^64 - 1, size - 1, size, size + 1} at offsets that begin the
// file, and at evenly spread ones when there would be more than n_most inputs; 8 bytes little endian, and 4 where the
// number fits.
std::uint64_t try_edge_integers(const Input& file, std::uint64_t n_most, const Try& attempt);
// One to four random changes: bit flips, bytes, edge integers, cuts, blocks copied or erased, text numbers, and the end
// of another file behind the beginning of this one.
Input mutate(const Input& file, const Input& other, Random& random);

}  // namespace fuzz
