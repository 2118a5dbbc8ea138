// What the globals of a tensor checkpoint mean: which there are, and what becomes of a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "checkpoint/pickle.h"

namespace neox {

// The value of a global; nullopt for one that no tensor checkpoint needs.
std::optional<PickleValue> find_pickle_global(std::string_view module, std::string_view name);

// Turns calls and storage ids into values of `pickle`. Each member throws without a place; the interpreter
// adds it.
class PickleCalls {
public:
    PickleCalls(Pickle& pickle, PickleForm form) : pickle_(pickle), form_(form) {}

    // function(*arguments). The value is new, or one of the arguments.
    PickleValue call(std::uint32_t function, std::uint32_t arguments);
    PickleValue storage(std::uint32_t id);

private:
    const PickleValue& argument(const PickleValue& arguments, std::uint32_t i, PickleKind kind,
                                const char* what) const;
    PickleValue rebuild_tensor(const PickleValue& arguments);
    std::uint32_t read_sizes(const PickleValue& sizes, const char* what, std::uint64_t* out) const;

    Pickle& pickle_;
    PickleForm form_;
    std::unordered_map<std::string_view, std::uint32_t> storages_;  // by key
};

}  // namespace neox
