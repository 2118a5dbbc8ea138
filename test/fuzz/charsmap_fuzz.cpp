// A character map. In one that passes, a search stays inside the blob whatever the text is.
#include <cstring>
#include <string>

#include "checkpoint/charsmap.h"
#include "fuzz.h"

namespace {

using namespace neox;

struct Map {
    const std::byte* units;
    std::size_t n_units;
    fuzz::Bytes replacements;

    std::uint32_t unit(std::size_t i) const {
        fuzz::require(i < n_units, "a search stays inside the trie");
        std::uint32_t value;
        std::memcpy(&value, units + i * 4, 4);
        return value;
    }
};

// The library's search for the keys that `text` begins with, bounds checked.
void search(const Map& map, fuzz::Bytes text) {
    const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
    std::size_t n_found = 0;
    std::size_t node = offset(map.unit(0));
    for (const std::byte byte : text) {
        const auto label = static_cast<std::uint32_t>(byte);
        if (label == 0) return;
        node ^= label;
        const std::uint32_t unit = map.unit(node);
        if ((unit & ((1u << 31) | 0xFF)) != label) return;
        node ^= offset(unit);
        if ((unit >> 8 & 1) == 0) continue;
        fuzz::require(++n_found <= 32, "a search finds at most 32 keys");
        const std::uint32_t value = map.unit(node) & 0x7FFFFFFF;
        fuzz::require(value < map.replacements.size(), "a replacement begins inside the blob");
        const void* end = std::memchr(map.replacements.data() + value, 0, map.replacements.size() - value);
        fuzz::require(end != nullptr, "a replacement ends inside the blob");
    }
}

void parse(fuzz::Bytes bytes) {
    validate_charsmap(bytes, "map");
    if (bytes.empty()) return;
    std::uint32_t trie_bytes;
    std::memcpy(&trie_bytes, bytes.data(), 4);
    const Map map{bytes.data() + 4, trie_bytes / 4, bytes.subspan(4 + std::size_t{trie_bytes})};
    for (std::size_t i = 0; i < bytes.size() && i < 4096; ++i)
        search(map, bytes.subspan(i, std::min<std::size_t>(64, bytes.size() - i)));
    std::string run;
    for (int c = 1; c < 256; ++c) {
        run.assign(64, static_cast<char>(c));
        search(map, {reinterpret_cast<const std::byte*>(run.data()), run.size()});
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
