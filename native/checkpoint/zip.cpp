#include "checkpoint/zip.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/checked.h"
#include "base/printable.h"
#include "base/utf8.h"

namespace neox {
namespace {

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::uint32_t kRecordSignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::size_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr std::size_t kRecordBytes = 46, kLocalBytes = 30;
constexpr std::uint16_t kZip64Field = 1;
constexpr std::uint16_t kStreamed = 1 << 3;  // sizes follow the data
constexpr std::uint16_t kUtf8Name = 1 << 11;
constexpr std::uint32_t kFolderAttribute = 0x10;  // of DOS; readers that heed it give no data
constexpr std::size_t kLongestName = 1024;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // "see the ZIP64 field"

using Bytes = std::span<const std::byte>;

// Little-endian, as the hosts are; the caller knows that the bytes are there.
template <class T> T get(Bytes bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

// What the end record says, unless it says "see the ZIP64 record".
void check_same(std::uint64_t small, std::uint64_t sentinel, std::uint64_t large, const char* what) {
    if (small != sentinel && small != large)
        fail(ErrorCode::format_value, "The zip archive's end records disagree about the ", what, ": ", small,
             " and ", large, ".");
}

ZipPlace read_end64(Bytes end, Bytes locator, std::uint64_t locator_offset) {
    if (get<std::uint32_t>(locator, 4) != 0 || get<std::uint32_t>(locator, 16) != 1)
        fail(ErrorCode::unsupported, "The zip archive spans several disks.");
    const auto offset = get<std::uint64_t>(locator, 8);
    if (end.size() < kEndBytes + kLocatorBytes + kEnd64Bytes || locator_offset - kEnd64Bytes != offset)
        fail(ErrorCode::format_offset, "The zip archive puts its ZIP64 record at byte ", offset,
             "; it was expected right before its locator at ", locator_offset, ".");
    const Bytes record = end.subspan(end.size() - kEndBytes - kLocatorBytes - kEnd64Bytes);
    if (get<std::uint32_t>(record, 0) != kEnd64Signature || get<std::uint64_t>(record, 4) != kEnd64Bytes - 12)
        fail(ErrorCode::format_value, "The zip archive's ZIP64 record is damaged.");
    if (get<std::uint32_t>(record, 16) != 0 || get<std::uint32_t>(record, 20) != 0 ||
        get<std::uint64_t>(record, 24) != get<std::uint64_t>(record, 32))
        fail(ErrorCode::unsupported, "The zip archive spans several disks.");
    return {get<std::uint64_t>(record, 48), get<std::uint64_t>(record, 40), get<std::uint64_t>(record, 32)};
}

void check_name(std::string_view name) {
    const auto refuse = [&](const char* why) {
        fail(ErrorCode::format_value, "The zip archive has an entry '", printable(name), "', ", why, ".");
    };
    if (name.empty() || name.size() > kLongestName) refuse("whose name is empty or too long");
    if (!is_valid_utf8(name)) refuse("whose name is not UTF-8");
    for (const char c : name)
        if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == ':')
            refuse("whose name has a character that no path should have");
    for (std::size_t begin = 0; begin <= name.size();) {
        const std::size_t slash = std::min(name.find('/', begin), name.size());
        const std::string_view part = name.substr(begin, slash - begin);
        if (part.empty() || part == "." || part == "..") refuse("whose name leaves its folder");
        begin = slash + 1;
    }
}

void check_method(std::string_view name, std::uint16_t flags, std::uint16_t method) {
    if (flags & 1)
        fail(ErrorCode::unsupported, "Entry '", printable(name), "' of the zip archive is encrypted.");
    if (method != 0)
        fail(ErrorCode::unsupported, "Entry '", printable(name),
             "' of the zip archive is compressed (method ", method, "); torch.save stores its entries.");
    if (flags & ~(kStreamed | kUtf8Name))
        fail(ErrorCode::format_value, "Entry '", printable(name), "' of the zip archive has flags ", flags,
             "; torch.save sets none but ", kStreamed, " and ", kUtf8Name, ".");
}

// The ZIP64 field of a header's extra data holds, in this order, what the header itself could not.
void read_zip64_field(std::string_view name, Bytes extra, std::span<std::uint64_t* const> missing) {
    while (extra.size() >= 4) {
        const auto id = get<std::uint16_t>(extra, 0), size = get<std::uint16_t>(extra, 2);
        if (size > extra.size() - 4) break;
        Bytes field = extra.subspan(4, size);
        extra = extra.subspan(4 + std::size_t{size});
        if (id != kZip64Field) continue;
        for (std::uint64_t* value : missing) {
            if (field.size() < 8) break;
            *value = get<std::uint64_t>(field, 0);
            field = field.subspan(8);
            missing = missing.subspan(1);
        }
        break;
    }
    if (!missing.empty())
        fail(ErrorCode::format_value, "Entry '", printable(name),
             "' of the zip archive lacks the ZIP64 field that its header refers to.");
}

// The record at the front of `directory`, which is cut to what follows it.
ZipRecord read_record(Bytes& directory) {
    if (directory.size() < kRecordBytes || get<std::uint32_t>(directory, 0) != kRecordSignature)
        fail(ErrorCode::format_value, "The directory of the zip archive is damaged.");
    const auto flags = get<std::uint16_t>(directory, 8), method = get<std::uint16_t>(directory, 10);
    const std::size_t name_bytes = get<std::uint16_t>(directory, 28);
    const std::size_t extra_bytes = get<std::uint16_t>(directory, 30);
    const std::size_t comment_bytes = get<std::uint16_t>(directory, 32);
    const auto disk = get<std::uint16_t>(directory, 34);
    const auto attributes = get<std::uint32_t>(directory, 38);
    std::uint64_t packed = get<std::uint32_t>(directory, 20);
    ZipRecord record;
    record.n_bytes = get<std::uint32_t>(directory, 24);
    record.header_offset = get<std::uint32_t>(directory, 42);
    directory = directory.subspan(kRecordBytes);
    if (name_bytes + extra_bytes + comment_bytes > directory.size())
        fail(ErrorCode::format_value, "The directory of the zip archive is damaged.");
    record.name.assign(reinterpret_cast<const char*>(directory.data()), name_bytes);
    check_name(record.name);
    check_method(record.name, flags, method);
    if (disk != 0) fail(ErrorCode::unsupported, "The zip archive spans several disks.");
    if (attributes & kFolderAttribute)
        fail(ErrorCode::format_value, "Entry '", printable(record.name),
             "' of the zip archive is marked as a folder.");
    std::uint64_t* missing[3];
    std::size_t n_missing = 0;
    for (std::uint64_t* value : {&record.n_bytes, &packed, &record.header_offset})
        if (*value == kIn64) missing[n_missing++] = value;
    if (n_missing > 0)
        read_zip64_field(record.name, directory.subspan(name_bytes, extra_bytes), {missing, n_missing});
    directory = directory.subspan(name_bytes + extra_bytes + comment_bytes);
    if (packed != record.n_bytes)
        fail(ErrorCode::format_value, "Entry '", printable(record.name), "' of the zip archive has ", packed,
             " stored bytes for ", record.n_bytes, " bytes of data.");
    return record;
}

// The entry of a record whose local header must say the same, and end by `limit`.
ZipEntry read_local(const ByteSource& source, const ZipRecord& record, std::uint64_t limit) {
    const auto refuse = [&](ErrorCode code, const char* why) {
        fail(code, "Entry '", printable(record.name), "' of the zip archive at byte ", record.header_offset,
             ' ', why, ".");
    };
    if (record.header_offset > limit || limit - record.header_offset < kLocalBytes)
        refuse(ErrorCode::format_offset, "overlaps what follows it");
    std::byte header[kLocalBytes];
    source.read_at(record.header_offset, header);
    if (get<std::uint32_t>(header, 0) != kLocalSignature)
        refuse(ErrorCode::format_offset, "has no local header there");
    const auto flags = get<std::uint16_t>(header, 6), method = get<std::uint16_t>(header, 8);
    check_method(record.name, flags, method);
    const std::size_t name_bytes = get<std::uint16_t>(header, 26),
                      extra_bytes = get<std::uint16_t>(header, 28);
    std::uint64_t left = limit - record.header_offset - kLocalBytes;
    if (left < name_bytes + extra_bytes || left - name_bytes - extra_bytes < record.n_bytes)
        refuse(ErrorCode::format_offset, "overlaps what follows it");
    std::vector<std::byte> name(name_bytes);
    if (name_bytes == record.name.size()) source.read_at(record.header_offset + kLocalBytes, name);
    if (name_bytes != record.name.size() || std::memcmp(name.data(), record.name.data(), name_bytes) != 0)
        refuse(ErrorCode::format_value, "has another name in its local header");
    std::uint64_t packed = get<std::uint32_t>(header, 18), n_bytes = get<std::uint32_t>(header, 22);
    if (packed == kIn64 && n_bytes == kIn64) {
        std::vector<std::byte> extra(extra_bytes);
        source.read_at(record.header_offset + kLocalBytes + name_bytes, extra);
        std::uint64_t* const missing[2] = {&n_bytes, &packed};
        read_zip64_field(record.name, extra, missing);
    }
    const bool is_streamed = (flags & kStreamed) != 0 && packed == 0 && n_bytes == 0;
    if (!is_streamed && (packed != record.n_bytes || n_bytes != record.n_bytes))
        refuse(ErrorCode::format_value, "has another size in its local header");
    return {record.name, record.header_offset + kLocalBytes + name_bytes + extra_bytes, record.n_bytes};
}

}  // namespace

ZipPlace find_zip_directory(Bytes end, std::uint64_t file_size) {
    if (end.size() < kEndBytes || get<std::uint32_t>(end, end.size() - kEndBytes) != kEndSignature ||
        get<std::uint16_t>(end, end.size() - 2) != 0)
        fail(ErrorCode::format_truncated, "The zip archive of ", file_size,
             " bytes does not end with its end record: it is cut off, or something was appended to it.");
    const Bytes record = end.last(kEndBytes);
    const auto n_here = get<std::uint16_t>(record, 8), n_total = get<std::uint16_t>(record, 10);
    if (get<std::uint16_t>(record, 4) != 0 || get<std::uint16_t>(record, 6) != 0 || n_here != n_total)
        fail(ErrorCode::unsupported, "The zip archive spans several disks.");
    ZipPlace place{get<std::uint32_t>(record, 16), get<std::uint32_t>(record, 12), n_total};
    std::uint64_t end_offset = file_size - kEndBytes;
    if (end.size() >= kEndBytes + kLocatorBytes) {
        const Bytes locator = end.subspan(end.size() - kEndBytes - kLocatorBytes, kLocatorBytes);
        if (get<std::uint32_t>(locator, 0) == kLocatorSignature) {
            const ZipPlace large = read_end64(end, locator, end_offset - kLocatorBytes);
            check_same(place.offset, kIn64, large.offset, "start of the directory");
            check_same(place.n_bytes, kIn64, large.n_bytes, "size of the directory");
            check_same(place.n_entries, 0xFFFF, large.n_entries, "number of entries");
            place = large;
            end_offset -= kLocatorBytes + kEnd64Bytes;
        }
    }
    if (place.n_entries > kZipMostEntries)
        fail(ErrorCode::format_limit, "The zip archive claims ", place.n_entries, " entries; at most ",
             kZipMostEntries, " are accepted.");
    if (place.n_bytes > kZipLargestDirectory)
        fail(ErrorCode::format_limit, "The zip archive claims a directory of ", place.n_bytes,
             " bytes; at most ", kZipLargestDirectory, " are accepted.");
    if (checked_add(place.offset, place.n_bytes, "end of the zip directory") != end_offset)
        fail(ErrorCode::format_offset, "The directory of the zip archive has ", place.n_bytes,
             " bytes at byte ", place.offset, "; it was expected to end at byte ", end_offset, ".");
    return place;
}

std::vector<ZipRecord> parse_zip_directory(Bytes directory, std::uint64_t n_entries) {
    if (n_entries > directory.size() / kRecordBytes)
        fail(ErrorCode::format_value, "The zip archive claims ", n_entries, " entries in a directory of ",
             directory.size(), " bytes.");
    std::vector<ZipRecord> records;
    records.reserve(static_cast<std::size_t>(n_entries));
    while (records.size() < n_entries) records.push_back(read_record(directory));
    if (!directory.empty())
        fail(ErrorCode::format_value, "The directory of the zip archive has more than the ", n_entries,
             " entries that it claims.");
    std::unordered_set<std::string_view> names;
    for (const ZipRecord& record : records)
        if (!names.insert(record.name).second)
            fail(ErrorCode::format_duplicate, "The zip archive has two entries '", printable(record.name),
                 "'.");
    return records;
}

std::vector<ZipEntry> read_zip(const ByteSource& source) {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), kZipLargestEnd)));
    source.read_at(source.size() - bytes.size(), bytes);
    const ZipPlace place = find_zip_directory(bytes, source.size());
    bytes.resize(static_cast<std::size_t>(place.n_bytes));
    source.read_at(place.offset, bytes);
    std::vector<ZipRecord> records = parse_zip_directory(bytes, place.n_entries);
    std::sort(records.begin(), records.end(),
              [](const ZipRecord& a, const ZipRecord& b) { return a.header_offset < b.header_offset; });
    if (!records.empty() && records.front().header_offset != 0)
        fail(ErrorCode::format_offset, "The first entry of the zip archive begins at byte ",
             records.front().header_offset, "; 0 was expected.");
    std::vector<ZipEntry> entries;
    entries.reserve(records.size());
    for (std::size_t i = 0; i < records.size(); ++i)
        entries.push_back(read_local(source, records[i],
                                     i + 1 < records.size() ? records[i + 1].header_offset : place.offset));
    return entries;
}

}  // namespace neox
