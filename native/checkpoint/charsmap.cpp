#include "checkpoint/charsmap.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"

namespace neox {
namespace {

constexpr std::size_t kTrieGranularity =
    1024;  // bytes; the library builds and accepts tries in blocks of 256 units
constexpr int kMostNestedKeys = 32;
constexpr std::size_t kLongestReplacement = 1024;

class Trie {
public:
    explicit Trie(std::vector<std::uint32_t> units) : units_(std::move(units)) {}

    std::uint32_t size() const { return static_cast<std::uint32_t>(units_.size()); }
    bool is_leaf(std::uint32_t i) const { return units_[i] >> 31 != 0; }
    std::uint32_t label(std::uint32_t i) const { return units_[i] & 0xFF; }
    bool ends_key(std::uint32_t i) const { return (units_[i] >> 8 & 1) != 0; }
    std::uint32_t value(std::uint32_t i) const { return units_[i] & 0x7FFFFFFF; }
    // The index from which the children of unit i are reached.
    std::uint32_t base(std::uint32_t i) const {
        return i ^ (units_[i] >> 10 << ((units_[i] & (1u << 9)) >> 6));
    }

private:
    std::vector<std::uint32_t> units_;
};

// The units by the base that they are children of: those of base b are list[begin[b]] to list[begin[b + 1]].
// Each unit has one label, so it is a child of one base.
struct Children {
    std::vector<std::uint32_t> begin;
    std::vector<std::uint32_t> list;

    explicit Children(const Trie& trie) : begin(trie.size() + 1, 0) {
        const auto each = [&](auto&& visit) {
            for (std::uint32_t i = 0; i < trie.size(); ++i) {
                if (trie.is_leaf(i)) continue;
                const std::uint32_t parent = i ^ trie.label(i);
                if (parent < trie.size()) visit(parent, i);
            }
        };
        each([&](std::uint32_t parent, std::uint32_t) { ++begin[parent + 1]; });
        for (std::size_t b = 1; b < begin.size(); ++b) begin[b] += begin[b - 1];
        list.resize(begin.back());
        std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1);
        each([&](std::uint32_t parent, std::uint32_t i) { list[next[parent]++] = i; });
    }
};

// The most keys on one path from the root; walks bases depth first and refuses a path that returns to itself.
int most_nested_keys(const Trie& trie, const char* what) {
    const Children children(trie);
    struct Frame {
        std::uint32_t base;
        std::uint32_t next;  // index into children.list
    };
    constexpr int kUnseen = -1, kOpen = -2;
    std::vector<int> nested(trie.size(), kUnseen);  // by base, once it is known
    std::vector<Frame> stack;
    const auto open = [&](std::uint32_t base) {
        nested[base] = kOpen;
        stack.push_back({base, children.begin[base]});
    };
    const std::uint32_t root = trie.base(0);
    open(root);
    std::vector<int> best{0};
    for (;;) {
        Frame& frame = stack.back();
        if (frame.next < children.begin[frame.base + 1]) {
            const std::uint32_t unit = children.list[frame.next];
            const std::uint32_t base = trie.base(unit);
            if (nested[base] == kOpen) fail(ErrorCode::format_value, what, " has a trie with a cycle.");
            if (nested[base] == kUnseen) {
                open(base);
                best.push_back(0);
                continue;
            }
            best.back() = std::max(best.back(), nested[base] + (trie.ends_key(unit) ? 1 : 0));
            ++frame.next;
            continue;
        }
        nested[frame.base] = best.back();
        best.pop_back();
        stack.pop_back();
        if (stack.empty()) return nested[root];
    }
}

}  // namespace

void validate_charsmap(std::span<const std::byte> blob, const char* what) {
    if (blob.empty()) return;
    std::uint32_t trie_bytes = 0;
    if (blob.size() <= sizeof trie_bytes)
        fail(ErrorCode::format_value, what, " has ", blob.size(), " bytes, too few for its own size.");
    std::memcpy(&trie_bytes, blob.data(), sizeof trie_bytes);
    if (trie_bytes >= blob.size() - sizeof trie_bytes)
        fail(ErrorCode::format_value, what, " claims a trie of ", trie_bytes, " bytes; ",
             blob.size() - sizeof trie_bytes, " are left for it and the replacements.");
    if (trie_bytes == 0 || trie_bytes % kTrieGranularity != 0)
        fail(ErrorCode::format_value, what, " has a trie of ", trie_bytes, " bytes; a multiple of ",
             kTrieGranularity, " was expected.");
    std::vector<std::uint32_t> units(trie_bytes / sizeof(std::uint32_t));
    std::memcpy(units.data(), blob.data() + sizeof trie_bytes, trie_bytes);
    const Trie trie(std::move(units));
    const auto replacements = blob.subspan(sizeof trie_bytes + trie_bytes);
    if (replacements.back() != std::byte{0})
        fail(ErrorCode::format_value, what, " ends within a replacement: its last byte is no NUL.");

    // The root's offset is followed whatever its other bits say.
    for (std::uint32_t i = 0; i < trie.size(); ++i)
        if ((i == 0 || !trie.is_leaf(i)) && (trie.base(i) | 0xFF) >= trie.size())
            fail(ErrorCode::format_value, what, " has a trie whose unit ", i, " leads out of it.");

    // Bytes from each position to the next NUL.
    std::vector<std::uint32_t> length(replacements.size());
    for (std::size_t i = replacements.size(); i-- > 0;)
        length[i] = replacements[i] == std::byte{0} ? 0 : length[i + 1] + 1;
    for (std::uint32_t i = 0; i < trie.size(); ++i) {
        if (trie.is_leaf(i) || !trie.ends_key(i)) continue;
        const std::uint32_t value = trie.value(trie.base(i));
        if (value >= replacements.size())
            fail(ErrorCode::format_value, what, " has a replacement at ", value, ", beyond the ",
                 replacements.size(), " bytes of them.");
        if (length[value] > kLongestReplacement)
            fail(ErrorCode::format_value, what, " has a replacement of ", length[value], " bytes; at most ",
                 kLongestReplacement, " are accepted.");
    }
    if (const int nested = most_nested_keys(trie, what); nested > kMostNestedKeys)
        fail(ErrorCode::format_value, what, " has ", nested,
             " keys that are prefixes of one another; at most ", kMostNestedKeys, " are accepted.");
}

}  // namespace neox
