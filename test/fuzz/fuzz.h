// What every fuzz target shares: how one input is run, and what counts as a failure.
//
// A target parses untrusted bytes. It may throw neox::Error; anything else is a failure: another exception, a
// sanitizer's report, a broken property, and for an input of at most 64 KiB more than 16 MiB of memory at once or more
// than 100 ms of processor time, sanitizers included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace fuzz {

using Bytes = std::span<const std::byte>;

// The body of LLVMFuzzerTestOneInput: runs `parse` on a copy of exactly `size` bytes and checks its costs. Returns 0.
int one_input(const std::uint8_t* data, std::size_t size, const std::function<void(Bytes)>& parse);

// Ends the process with the message unless the property holds.
void require(bool holds, const char* property);

inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether `action` ran through; false when it threw a neox::Error.
template <class Action> bool accepts(Action&& action) {
    try {
        action();
        return true;
    } catch (const neox::Error&) {
        return false;
    }
}

// The exact product of a shape in 128 bits equals `claimed`; without it a product that wrapped would pass.
template <class Shape>
bool is_exact_product(const Shape& shape, std::uint64_t factor, std::uint64_t claimed) {
    __extension__ using Wide = unsigned __int128;
    constexpr Wide kLimit = Wide{1} << 64;
    Wide product = factor;
    for (const std::uint64_t dim : shape) {
        product *= dim;  // < 2^128: the product so far is below 2^64
        if (product >= kLimit) return false;
    }
    return product == claimed;
}

// What holds for an accepted tensor of any file: neither its element count nor its size has wrapped.
template <class Tensor> void require_exact_size(const Tensor& tensor) {
    std::uint64_t n_elements = 1;
    for (const std::uint64_t dim : tensor.shape) n_elements *= dim;
    require(is_exact_product(tensor.shape, 1, n_elements) || tensor.n_bytes == 0,
            "the element count of an accepted tensor is exact");
    require(n_elements == 0 || tensor.n_bytes % n_elements == 0,
            "the size of an accepted tensor is a multiple of its elements");
}

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
