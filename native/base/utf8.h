// Validation of UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace neox {

inline bool is_valid_utf8(std::string_view text) {
    const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        const unsigned lead = byte_at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        std::size_t n_more;
        unsigned low = 0x80, high = 0xBF;  // range of the second byte
        if (lead >= 0xC2 && lead <= 0xDF) {
            n_more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            n_more = 2;
            if (lead == 0xE0) low = 0xA0;
            if (lead == 0xED) high = 0x9F;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            n_more = 3;
            if (lead == 0xF0) low = 0x90;
            if (lead == 0xF4) high = 0x8F;
        } else {
            return false;
        }
        if (text.size() - i <= n_more) return false;
        if (byte_at(i + 1) < low || byte_at(i + 1) > high) return false;
        for (std::size_t k = 2; k <= n_more; ++k)
            if (byte_at(i + k) < 0x80 || byte_at(i + k) > 0xBF) return false;
        i += n_more + 1;
    }
    return true;
}

}  // namespace neox
