// A zip archive: its end records, its directory, and the entries that both describe.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/byte_source.h"
#include "checkpoint/zip.h"
#include "fuzz.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    // The bytes as a directory alone.
    for (const std::uint64_t n_entries : {1, 2, 100'000})
        fuzz::accepts([&] { parse_zip_directory(bytes, n_entries); });
    std::uint64_t end = 0;
    std::unordered_set<std::string> names;
    for (const ZipEntry& entry : read_zip(MemoryBytes(bytes))) {
        fuzz::require(entry.offset >= end, "entries do not overlap");
        fuzz::require(entry.offset <= bytes.size() && entry.n_bytes <= bytes.size() - entry.offset,
                      "an accepted entry lies inside the file");
        end = entry.offset + entry.n_bytes;
        fuzz::require(names.insert(entry.name).second, "names are unique");
        fuzz::require(!entry.name.empty() && entry.name.front() != '/' &&
                          ("/" + entry.name + "/").find("/../") == std::string::npos &&
                          entry.name.find_first_of(std::string("\\:\0", 3)) == std::string::npos,
                      "an accepted name stays inside");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
