// Bytes of a file in a message: at most 64 of them, whatever is no printable ASCII as '?'.
#pragma once

#include <string>
#include <string_view>

namespace neox {

inline std::string printable(std::string_view bytes) {
    constexpr std::size_t kLongest = 64;
    std::string out(bytes.substr(0, kLongest));
    for (char& c : out)
        if (c < 0x20 || c > 0x7E) c = '?';
    return bytes.size() > kLongest ? out + "..." : out;
}

}  // namespace neox
