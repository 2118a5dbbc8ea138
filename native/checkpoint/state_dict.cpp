#include "checkpoint/state_dict.h"

#include <unordered_set>

#include "base/checked.h"
#include "base/printable.h"

namespace neox {
namespace {

constexpr std::size_t kLongestName = 4096;

bool has_tensors(const Pickle& pickle, std::uint32_t dict) {
    const std::vector<std::uint32_t> items = pickle.items(dict);
    for (std::size_t i = 1; i < items.size(); i += 2)
        if (pickle.kind(items[i]) == PickleKind::tensor) return true;
    return false;
}

// The dict whose values are the tensors.
std::uint32_t find_state_dict(const Pickle& pickle) {
    if (!pickle.is_dict(pickle.root))
        fail(ErrorCode::format_type, "The pickle holds no dict, so this is no state dict of a model.");
    if (has_tensors(pickle, pickle.root)) return pickle.root;
    for (const char* key : {"state_dict", "model"}) {
        const auto inner = find_in_dict(pickle, pickle.root, key);
        if (inner && pickle.is_dict(*inner) && has_tensors(pickle, *inner)) return *inner;
    }
    fail(ErrorCode::format_missing,
         "The pickle's dict holds no tensors, so this is no state dict of a model.");
}

bool is_contiguous(const PickleTensor& tensor) {
    if (tensor.n_elements == 0) return true;
    std::uint64_t expected = 1;
    for (std::uint32_t i = tensor.n_dims; i-- > 0;) {
        if (tensor.shape[i] > 1 && tensor.stride[i] != expected) return false;
        expected *= tensor.shape[i];
    }
    return true;
}

}  // namespace

std::optional<std::uint32_t> find_in_dict(const Pickle& pickle, std::uint32_t dict, std::string_view key) {
    const std::vector<std::uint32_t> items = pickle.items(dict);
    std::optional<std::uint32_t> found;
    for (std::size_t i = 0; i < items.size(); i += 2)
        if (pickle.kind(items[i]) == PickleKind::text && pickle.text(items[i]) == key) found = items[i + 1];
    return found;
}

std::uint64_t storage_bytes(const PickleStorage& storage) {
    return checked_mul(storage.n_elements, storage.element->n_bytes, "bytes of a storage");
}

std::vector<StoredTensor> list_state_dict(const Pickle& pickle, const std::vector<std::uint64_t>& offsets) {
    std::vector<StoredTensor> tensors;
    std::unordered_set<std::string_view> names;
    const std::vector<std::uint32_t> items = pickle.items(find_state_dict(pickle));
    for (std::size_t i = 0; i < items.size(); i += 2) {
        const PickleValue& value = pickle[items[i + 1]];
        if (value.kind != PickleKind::tensor) continue;
        if (pickle.kind(items[i]) != PickleKind::text)
            fail(ErrorCode::format_type, "A tensor of the state dict has a key that is no string.");
        const std::string_view name = pickle.text(items[i]);
        if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string_view::npos)
            fail(ErrorCode::format_value, "A tensor name must have 1 to ", kLongestName,
                 " bytes and no NUL; '", printable(name), "' does not.");
        if (!names.insert(name).second)
            fail(ErrorCode::format_duplicate, "Tensor '", name, "' is in the state dict twice.");
        const PickleTensor& view = pickle.tensors[value.first];
        const PickleElement& element = *pickle.storages[view.storage].element;
        StoredTensor tensor;
        tensor.name = name;
        tensor.dtype_name = element.dtype_name;
        if (element.has_dtype) tensor.dtype = element.dtype;
        tensor.shape.assign(view.shape, view.shape + view.n_dims);
        tensor.is_contiguous = is_contiguous(view);
        tensor.offset = checked_add(offsets[view.storage],
                                    checked_mul(view.offset, element.n_bytes, "offset of a tensor"),
                                    "offset of a tensor");
        tensor.n_bytes = checked_mul(view.n_elements, element.n_bytes, "bytes of a tensor");
        tensors.push_back(std::move(tensor));
    }
    return tensors;
}

}  // namespace neox
