// A 64-bit hash that tells contents apart and finds damage. It does not withstand whoever means to deceive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace neox {

// Every step is a bijection of the state, so a change of a single word always changes the value. How the bytes are cut
// into calls of add() is part of what is hashed.
class Hash64 {
public:
    explicit Hash64(std::uint64_t seed = 0) { add_word(seed); }

    void add_word(std::uint64_t word) {
        state_ = (state_ ^ word) * 0x9e3779b97f4a7c15ull;
        state_ ^= state_ >> 32;
    }

    void add(std::span<const std::byte> bytes) {
        add_word(bytes.size());
        for (; bytes.size() >= 8; bytes = bytes.subspan(8)) add_word(load(bytes.data(), 8));
        if (!bytes.empty()) add_word(load(bytes.data(), bytes.size()));
    }

    std::uint64_t value() const { return state_; }

private:
    static std::uint64_t load(const std::byte* bytes, std::size_t n) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes, n);
        return word;
    }

    std::uint64_t state_ = 0;
};

}  // namespace neox
