// Zip archives too large to commit; the small ones are those of torch_test.cpp and of the hostile set.
#include "checkpoint/zip.h"

#include <cstring>
#include <map>

#include "check.h"

namespace {

using namespace neox;

// Bytes here and there in a file too large to exist.
class SparseBytes final : public ByteSource {
public:
    explicit SparseBytes(std::uint64_t size) : size_(size) {}
    void put(std::uint64_t offset, const std::string& bytes) { pieces_[offset] = bytes; }
    std::uint64_t size() const override { return size_; }
    void read_at(std::uint64_t offset, std::span<std::byte> dst) const override {
        if (offset > size_ || dst.size() > size_ - offset)
            fail(ErrorCode::format_truncated, "beyond the end");
        for (std::size_t i = 0; i < dst.size(); ++i) {
            dst[i] = std::byte{0};
            const auto after = pieces_.upper_bound(offset + i);
            if (after == pieces_.begin()) continue;
            const auto& [begin, bytes] = *std::prev(after);
            if (offset + i - begin < bytes.size()) dst[i] = std::byte(bytes[offset + i - begin]);
        }
    }

private:
    std::uint64_t size_;
    std::map<std::uint64_t, std::string> pieces_;
};

template <class T> std::string le(T value) {
    std::string out(sizeof value, '\0');
    std::memcpy(out.data(), &value, sizeof value);
    return out;
}

std::string local_header(const std::string& name, std::uint16_t flags, std::uint32_t n_bytes,
                         const std::string& extra = "") {
    return "PK\3\4" + le<std::uint16_t>(0) + le(flags) + std::string(10, '\0') + le(n_bytes) + le(n_bytes) +
           le(static_cast<std::uint16_t>(name.size())) + le(static_cast<std::uint16_t>(extra.size())) + name +
           extra;
}

std::string directory_entry(const std::string& name, std::uint32_t n_bytes, std::uint32_t offset,
                            const std::string& extra, std::uint32_t attributes) {
    return "PK\1\2" + std::string(4, '\0') + le<std::uint16_t>(0x0808) + std::string(10, '\0') + le(n_bytes) +
           le(n_bytes) + le(static_cast<std::uint16_t>(name.size())) +
           le(static_cast<std::uint16_t>(extra.size())) + std::string(6, '\0') + le(attributes) + le(offset) +
           name + extra;
}

// Two entries, the first of 5 GiB; what torch.save writes for large checkpoints.
struct LargeZip {
    static constexpr std::uint64_t kFirst = std::uint64_t{5} << 30, kSecondAt = kFirst + 4096;
    std::uint64_t claimed = kFirst;
    std::uint64_t second_at = kSecondAt;
    std::uint64_t record_shift = 0;
    std::uint64_t n_entries = 2;        // in the ZIP64 record
    std::uint16_t n_entries_small = 2;  // in the end record
    std::uint32_t attributes = 0;       // of the second entry

    SparseBytes bytes() const {
        const std::uint64_t directory_at = kSecondAt + 4096;
        const std::string directory =
            directory_entry("p/data/0", 0xFFFFFFFF, 0,
                            le<std::uint16_t>(1) + le<std::uint16_t>(16) + le(claimed) + le(claimed), 0) +
            directory_entry("p/data/1", 8, 0xFFFFFFFF,
                            le<std::uint16_t>(1) + le<std::uint16_t>(8) + le(second_at), attributes);
        const std::uint64_t record_at = directory_at + directory.size();
        const std::string end = "PK\6\6" + le<std::uint64_t>(44) + std::string(12, '\0') + le(n_entries) +
                                le(n_entries) + le<std::uint64_t>(directory.size()) + le(directory_at) +
                                "PK\6\7" + le<std::uint32_t>(0) + le(record_at + record_shift) +
                                le<std::uint32_t>(1) + "PK\5\6" + std::string(4, '\0') + le(n_entries_small) +
                                le(n_entries_small) + le(static_cast<std::uint32_t>(directory.size())) +
                                le<std::uint32_t>(0xFFFFFFFF) + le<std::uint16_t>(0);
        SparseBytes out(record_at + end.size());
        out.put(0, local_header("p/data/0", 0x0808, 0));
        out.put(kSecondAt, local_header("p/data/1", 0x0808, 0));
        out.put(directory_at, directory);
        out.put(record_at, end);
        return out;
    }
};

TEST(zip_archives_beyond_4_gib_are_read) {
    const std::vector<ZipEntry> entries = read_zip(LargeZip{}.bytes());
    CHECK_EQ(entries.size(), 2);
    CHECK_EQ(entries[0].offset, 38);
    CHECK_EQ(entries[0].n_bytes, LargeZip::kFirst);
    CHECK_EQ(entries[1].offset, LargeZip::kSecondAt + 38);
    CHECK_EQ(entries[1].n_bytes, 8);
}

TEST(zip64_sizes_are_checked) {
    for (const std::uint64_t claimed : {LargeZip::kSecondAt, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        LargeZip zip;
        zip.claimed = claimed;
        CHECK_THROWS(read_zip(zip.bytes()), format_offset);
    }
    for (const std::uint64_t at : {LargeZip::kFirst, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        LargeZip zip;
        zip.second_at = at;
        CHECK_THROWS(read_zip(zip.bytes()), format_offset);
    }
    LargeZip zip;
    zip.record_shift = 1;
    CHECK_THROWS(read_zip(zip.bytes()), format_offset);
}

TEST(zip_directories_must_agree_with_their_ends) {
    const auto read = [](std::uint64_t n_entries, std::uint16_t n_entries_small,
                         std::uint32_t attributes = 0) {
        LargeZip zip;
        zip.n_entries = n_entries;
        zip.n_entries_small = n_entries_small;
        zip.attributes = attributes;
        return read_zip(zip.bytes());
    };
    CHECK_EQ(read(2, 0xFFFF).size(), 2);  // "see the ZIP64 record"
    CHECK_THROWS(read(2, 3), format_value);
    CHECK_THROWS(read(1, 1), format_value);
    CHECK_THROWS(read(3, 3), format_value);
    CHECK_THROWS(read(100'001, 0xFFFF), format_limit);
    CHECK_THROWS(read(std::uint64_t{1} << 63, 0xFFFF), format_limit);
    CHECK_THROWS(read(2, 2, 0x10), format_value);  // a folder
}

}  // namespace
