// The pickles of tensor checkpoints, read as data: an interpreter of just the opcodes and globals that
// torch.save writes for a state dict. A global becomes a tag, a call becomes a checked description of a
// tensor; nothing is looked up, imported or executed, and whatever else a pickle asks for is refused with the
// place where it asks.
//
// Source of the opcodes: Python's pickletools; of the globals and of the tensors' arguments: torch/_utils.py
// and torch/serialization.py. Protocol 2 alone, as torch.save writes by default and
// torch.load(weights_only=True) reads.
//
// Values live in an arena and refer to each other by index, so sharing costs nothing and nothing is destroyed
// recursively. Memory and time are proportional to the pickle's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace neox {

inline constexpr std::size_t kPickleLargest = std::size_t{64} << 20;
inline constexpr std::size_t kPickleMostValues = std::size_t{1} << 20;
inline constexpr std::size_t kPickleMostTensors = 100'000;  // and storages
inline constexpr std::size_t kPickleMostDimensions = 8;

enum class PickleKind : std::uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    tuple,
    list,
    dict,
    ordered_dict,
    global,
    storage,
    tensor,
};

enum class PickleGlobal : std::uint8_t {
    ordered_dict,
    rebuild_tensor,     // _rebuild_tensor_v2
    rebuild_parameter,  // _rebuild_parameter
    rebuild_from_type,  // _rebuild_from_type_v2
    size,               // torch.Size
    tensor_class,       // torch.Tensor, torch.nn.parameter.Parameter: arguments, never called
    storage_class,      // torch.FloatStorage ...: arguments, never called
    dtype,              // torch.float16 ...: arguments, never called
};

// The elements of a storage.
struct PickleElement {
    const char* storage_class;  // "FloatStorage"
    const char* dtype_name;     // as safetensors spells it
    DType dtype;                // where has_dtype
    bool has_dtype;
    std::uint8_t n_bytes;
};

struct PickleValue {
    PickleKind kind = PickleKind::none;
    PickleGlobal global = PickleGlobal::ordered_dict;
    std::uint32_t first = 0;  // text: its byte; tuple, list, dict: first link; storage, tensor: number
    std::uint32_t count = 0;  // text: bytes; tuple, list: items; dict: items, a key and a value being two
    std::int64_t integer =
        0;  // integer, boolean; list, dict: last link; storage_class: number of the element
};

struct PickleLink {
    std::uint32_t value;
    std::uint32_t next;
};

struct PickleStorage {
    std::string_view key;  // digits
    const PickleElement* element;
    std::uint64_t n_elements;
};

// A view of a storage, in elements, known to lie within what the storage claims to have.
struct PickleTensor {
    std::uint32_t storage = 0;
    std::uint32_t n_dims = 0;
    std::uint64_t offset = 0;
    std::uint64_t n_elements = 0;
    std::uint64_t shape[kPickleMostDimensions] = {};
    std::uint64_t stride[kPickleMostDimensions] = {};
};

// A value is its index in `values`. The texts point into the bytes that were read, which must outlive this.
struct Pickle {
    std::span<const std::byte> bytes;
    std::vector<PickleValue> values;
    std::vector<PickleLink> links;  // of tuples (one after the other), lists and dicts
    std::vector<PickleStorage> storages;
    std::vector<PickleTensor> tensors;
    std::uint32_t root = 0;
    std::size_t n_read = 0;  // bytes up to and with STOP

    const PickleValue& operator[](std::uint32_t value) const { return values[value]; }
    PickleKind kind(std::uint32_t value) const { return values[value].kind; }
    bool is_dict(std::uint32_t value) const {
        return kind(value) == PickleKind::dict || kind(value) == PickleKind::ordered_dict;
    }
    std::uint32_t tuple_item(const PickleValue& tuple, std::uint32_t i) const {
        return links[tuple.first + i].value;
    }
    std::string_view text(std::uint32_t value) const {
        const PickleValue& v = values[value];
        return {reinterpret_cast<const char*>(bytes.data()) + v.first, v.count};
    }
    // The items of a tuple, list or dict in their order (a dict's: key, value, key, value ...).
    std::vector<std::uint32_t> items(std::uint32_t value) const;
};

// How many fields a storage's id has: torch.save's zip form writes 5, the legacy form a sixth, None.
enum class PickleForm : std::uint8_t { zip = 5, legacy = 6 };

// Reads the pickle at the front of `bytes`. Pure. Throws ERR_NEOX_FORMAT_TRUNCATED when the bytes end before
// STOP, ERR_NEOX_UNSUPPORTED for another protocol, opcode or global, ERR_NEOX_FORMAT_SYNTAX, _TYPE, _VALUE,
// _SHAPE, _OVERFLOW or _LIMIT; messages name the byte.
Pickle read_pickle(std::span<const std::byte> bytes, PickleForm form);

}  // namespace neox
