// A pickled state dict as tensors at places in a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "checkpoint/pickle.h"
#include "checkpoint/stored_tensor.h"

namespace neox {

// The value that a dict has under a key; the last one, as in Python.
std::optional<std::uint32_t> find_in_dict(const Pickle& pickle, std::uint32_t dict, std::string_view key);

std::uint64_t storage_bytes(const PickleStorage& storage);

// The tensors of the root, or of its "state_dict" or "model" where the root itself has none, in their order.
// `offsets` are the places of pickle.storages in the file. Throws ERR_NEOX_FORMAT_TYPE, _MISSING, _VALUE,
// _DUPLICATE.
std::vector<StoredTensor> list_state_dict(const Pickle& pickle, const std::vector<std::uint64_t>& offsets);

}  // namespace neox
