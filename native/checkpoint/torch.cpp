#include "checkpoint/torch.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "base/printable.h"
#include "checkpoint/pickle.h"
#include "checkpoint/state_dict.h"
#include "checkpoint/zip.h"

namespace neox {
namespace {

constexpr std::size_t kFirstWindow = std::size_t{1}
                                     << 20;  // of the legacy form's pickles, whose length is not written
constexpr std::int64_t kLegacyVersion = 1001;
// The pickle of 0x1950a86a20f9469cfc6c: PROTO 2, LONG1 of 10 bytes, STOP.
constexpr unsigned char kLegacyMagic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                          0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

std::vector<std::byte> read_bytes(const ByteSource& source, std::uint64_t offset, std::uint64_t n) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(n));
    source.read_at(offset, bytes);
    return bytes;
}

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ZipForm {
public:
    explicit ZipForm(const ByteSource& source) : source_(source), entries_(read_zip(source)) {
        for (const ZipEntry& entry : entries_) {
            const std::size_t slash = entry.name.find('/');
            if (slash == std::string::npos)
                fail(ErrorCode::format_value, "The zip archive has an entry '", printable(entry.name),
                     "' outside of any folder, as torch.save writes none.");
            const std::string_view name = entry.name, prefix = name.substr(0, slash);
            if (by_name_.empty()) prefix_ = prefix;
            if (prefix != prefix_)
                fail(ErrorCode::format_value, "The zip archive has two top folders, '", printable(prefix_),
                     "' and '", printable(prefix), "'; torch.save writes one.");
            const std::string_view rest = name.substr(slash + 1);
            if (rest == "constants.pkl" || rest.starts_with("code/"))
                fail(ErrorCode::unsupported, "This is a TorchScript program (it has ", printable(rest),
                     "), not a checkpoint; save the model's state dict instead.");
            by_name_.emplace(rest, &entry);
        }
    }

    std::vector<StoredTensor> tensors() const {
        if (const ZipEntry* order = find_entry("byteorder")) {
            const auto bytes =
                read_bytes(source_, order->offset, std::min<std::uint64_t>(order->n_bytes, 16));
            if (as_text(bytes) != "little")
                fail(ErrorCode::unsupported, "The checkpoint's byte order is '", printable(as_text(bytes)),
                     "'; little is read.");
        }
        const ZipEntry* data = find_entry("data.pkl");
        if (!data)
            fail(ErrorCode::format_missing,
                 "The zip archive has no data.pkl, so it is no checkpoint of torch.save.");
        if (data->n_bytes > kPickleLargest)
            fail(ErrorCode::format_limit, "data.pkl has ", data->n_bytes, " bytes; at most ", kPickleLargest,
                 " are accepted.");
        const std::vector<std::byte> bytes = read_bytes(source_, data->offset, data->n_bytes);
        const Pickle pickle = read_pickle(bytes, PickleForm::zip);
        if (pickle.n_read != bytes.size())
            fail(ErrorCode::format_syntax, "data.pkl goes on after its pickle, which ends at byte ",
                 pickle.n_read, " of ", bytes.size(), ".");
        std::vector<std::uint64_t> offsets;
        for (const PickleStorage& storage : pickle.storages) offsets.push_back(find_storage(storage));
        return list_state_dict(pickle, offsets);
    }

private:
    const ZipEntry* find_entry(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : found->second;
    }
    std::uint64_t find_storage(const PickleStorage& storage) const {
        const ZipEntry* entry = find_entry("data/" + std::string(storage.key));
        if (!entry)
            fail(ErrorCode::format_missing, "The zip archive has no entry for storage '", storage.key, "'.");
        if (entry->n_bytes != storage_bytes(storage))
            fail(ErrorCode::format_value, "Storage '", storage.key, "' has ", storage.n_elements,
                 " elements of ", int{storage.element->n_bytes}, " bytes, but its entry has ", entry->n_bytes,
                 " bytes.");
        return entry->offset;
    }

    const ByteSource& source_;
    std::vector<ZipEntry> entries_;
    std::string_view prefix_;
    std::unordered_map<std::string_view, const ZipEntry*> by_name_;  // without the prefix
};

class LegacyForm {
public:
    explicit LegacyForm(const ByteSource& source) : source_(source) {}

    std::vector<StoredTensor> tensors() {
        at_ = sizeof kLegacyMagic;
        std::vector<std::byte> bytes;
        const Pickle version = next_pickle(bytes);
        if (version.kind(version.root) != PickleKind::integer ||
            version[version.root].integer != kLegacyVersion)
            fail(ErrorCode::format_version, "The checkpoint's protocol version is not ", kLegacyVersion,
                 ", the only one of torch's legacy form.");
        check_system(next_pickle(bytes));
        const Pickle state = next_pickle(bytes);
        std::vector<std::byte> key_bytes;
        const Pickle keys = next_pickle(key_bytes);
        return list_state_dict(state, place_storages(state, keys));
    }

private:
    // The pickle at at_, which moves behind it. Its texts are in `bytes`.
    Pickle next_pickle(std::vector<std::byte>& bytes) {
        const std::uint64_t left = source_.size() - at_;
        const std::uint64_t most = std::min<std::uint64_t>(left, kPickleLargest);
        for (std::uint64_t window = std::min<std::uint64_t>(most, kFirstWindow);;
             window = std::min(most, window * 4)) {
            bytes = read_bytes(source_, at_, window);
            try {
                Pickle pickle = read_pickle(bytes, PickleForm::legacy);
                at_ += pickle.n_read;
                return pickle;
            } catch (const Error& e) {
                if (e.code() != ErrorCode::format_truncated) throw;
                if (window == left) throw;
                if (window == most)
                    fail(ErrorCode::format_limit, "A pickle has more than ", kPickleLargest, " bytes.");
            }
        }
    }

    static void check_system(const Pickle& system) {
        if (!system.is_dict(system.root))
            fail(ErrorCode::format_type, "The checkpoint's third pickle, about the system, is no dict.");
        const auto little = find_in_dict(system, system.root, "little_endian");
        if (little && (system.kind(*little) != PickleKind::boolean || system[*little].integer != 1))
            fail(ErrorCode::unsupported,
                 "The checkpoint's byte order is not little-endian, which alone is read.");
    }

    std::vector<std::uint64_t> place_storages(const Pickle& state, const Pickle& keys) {
        if (keys.kind(keys.root) != PickleKind::list)
            fail(ErrorCode::format_type, "The list of the storages' keys is no list.");
        std::unordered_map<std::string_view, std::size_t> numbers;
        for (const PickleStorage& storage : state.storages) numbers.emplace(storage.key, numbers.size());
        std::vector<std::uint64_t> offsets(state.storages.size(), 0);
        for (const std::uint32_t item : keys.items(keys.root)) {
            if (keys.kind(item) != PickleKind::text)
                fail(ErrorCode::format_type,
                     "The list of the storages' keys has something that is no string.");
            const std::string_view key = keys.text(item);
            const auto found = numbers.find(key);
            if (found == numbers.end())
                fail(ErrorCode::format_missing, "The list of the storages' keys has '", printable(key),
                     "', which is not in the state dict.");
            std::uint64_t& offset = offsets[found->second];
            if (offset != 0)
                fail(ErrorCode::format_duplicate, "The list of the storages' keys has '", key, "' twice.");
            offset = next_storage(state.storages[found->second]);
        }
        for (std::size_t i = 0; i < offsets.size(); ++i)
            if (offsets[i] == 0)
                fail(ErrorCode::format_missing, "Storage '", state.storages[i].key,
                     "' is not in the list of the storages' keys.");
        if (at_ != source_.size())
            fail(ErrorCode::format_offset, "The storages end at byte ", at_, ", but the file goes on to ",
                 source_.size(), ".");
        return offsets;
    }

    std::uint64_t next_storage(const PickleStorage& storage) {
        std::uint64_t n_elements;
        const std::vector<std::byte> count = read_bytes(source_, at_, sizeof n_elements);
        std::memcpy(&n_elements, count.data(), sizeof n_elements);
        if (n_elements != storage.n_elements)
            fail(ErrorCode::format_value, "Storage '", storage.key, "' has ", storage.n_elements,
                 " elements in the state dict, but ", n_elements, " at byte ", at_, ".");
        const std::uint64_t offset = at_ + sizeof n_elements, n_bytes = storage_bytes(storage);
        if (n_bytes > source_.size() - offset)
            fail(ErrorCode::format_truncated, "Storage '", storage.key, "' has ", n_bytes, " bytes at byte ",
                 offset, ", but the file ends at ", source_.size(), ".");
        at_ = offset + n_bytes;
        return offset;
    }

    const ByteSource& source_;
    std::uint64_t at_ = 0;
};

}  // namespace

std::vector<StoredTensor> parse_torch(const ByteSource& source) {
    constexpr std::uint64_t kTarMagic = 257;
    const std::vector<std::byte> start =
        read_bytes(source, 0, std::min<std::uint64_t>(source.size(), kTarMagic + 5));
    const std::string_view head = as_text(start);
    const std::string_view legacy(reinterpret_cast<const char*>(kLegacyMagic), sizeof kLegacyMagic);
    if (head.starts_with("PK\3\4")) return ZipForm(source).tensors();
    if (head.starts_with(legacy)) return LegacyForm(source).tensors();
    if (head.empty()) fail(ErrorCode::format_truncated, "The file is empty.");
    if (std::string_view("PK\3\4").starts_with(head) || legacy.starts_with(head))
        fail(ErrorCode::format_truncated, "The file has only ", source.size(), " bytes.");
    if (head.size() > kTarMagic && head.substr(kTarMagic) == "ustar")
        fail(ErrorCode::unsupported, "This is a tar archive, the oldest form of torch.save, which is not "
                                     "read; load and save it anew.");
    if (head.starts_with("version https://git-lfs"))
        fail(ErrorCode::format_magic,
             "This is a pointer of Git LFS, not the file itself; fetch it with 'git lfs pull'.");
    fail(ErrorCode::format_magic,
         "This is no checkpoint of torch.save: it begins neither as a zip archive nor with the "
         "magic number of the legacy form.");
}

std::vector<StoredTensor> read_torch(const File& file) {
    try {
        return parse_torch(FileBytes(file));
    } catch (const Error& e) {
        // A file that has become shorter names itself.
        throw Error(e.code(), text("'", file.path(), "': ", e.what()));
    }
}

}  // namespace neox
