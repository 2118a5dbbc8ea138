// Zip archives as torch.save writes them: stored entries (nothing is compressed), often with ZIP64 records.
//
//   (local header | data | descriptor)*  directory: one header per entry  [ZIP64 record | ZIP64 locator]  end record
//
// Source: PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3. Untrusted: the directory must fill the space
// before the end records, the first entry begins at byte 0, entries do not overlap, each local header says
// what the directory says, names are unique and stay inside. Nothing is ever extracted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/byte_source.h"

namespace neox {

inline constexpr std::uint64_t kZipMostEntries = 100'000;
inline constexpr std::uint64_t kZipLargestDirectory = std::uint64_t{64} << 20;
inline constexpr std::size_t kZipLargestEnd = 22 + 20 + 56;  // the three records at the end

// Where the directory is.
struct ZipPlace {
    std::uint64_t offset = 0;
    std::uint64_t n_bytes = 0;
    std::uint64_t n_entries = 0;
};

// An entry as the directory describes it.
struct ZipRecord {
    std::string name;
    std::uint64_t header_offset = 0;  // of its local header
    std::uint64_t n_bytes = 0;
};

struct ZipEntry {
    std::string name;
    std::uint64_t offset = 0;  // of its data, from the start of the file
    std::uint64_t n_bytes = 0;
};

// Both are pure. `end` is the last min(file_size, kZipLargestEnd) bytes of the file. Errors:
// ERR_NEOX_FORMAT_TRUNCATED without an end record (a comment after it is not accepted), _LIMIT, _OFFSET,
// _VALUE, _DUPLICATE, ERR_NEOX_UNSUPPORTED for compression, encryption and several disks.
ZipPlace find_zip_directory(std::span<const std::byte> end, std::uint64_t file_size);
std::vector<ZipRecord> parse_zip_directory(std::span<const std::byte> directory, std::uint64_t n_entries);

// The entries in the order of their data.
std::vector<ZipEntry> read_zip(const ByteSource& source);

}  // namespace neox
