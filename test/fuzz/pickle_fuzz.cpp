// A pickle by itself, in both forms of a storage's id, and the state dict that it may hold.
#include <algorithm>

#include "checkpoint/pickle.h"
#include "checkpoint/state_dict.h"
#include "fuzz.h"

namespace {

using namespace neox;

// The last element of the view, in exact arithmetic.
bool lies_in_storage(const PickleTensor& tensor, std::uint64_t n_elements) {
    __extension__ using Wide = unsigned __int128;
    const std::span<const std::uint64_t> shape(tensor.shape, tensor.n_dims);
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return tensor.offset <= n_elements;
    Wide last = tensor.offset;
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
        last += Wide{tensor.shape[i] - 1} * tensor.stride[i];  // 8 terms of less than 2^126 each
        if (last >= n_elements) return false;
    }
    return last < n_elements;
}

void check(const Pickle& pickle) {
    for (const PickleTensor& tensor : pickle.tensors) {
        fuzz::require(tensor.n_dims <= kPickleMostDimensions, "dimensions are bounded");
        fuzz::require(tensor.storage < pickle.storages.size(), "a tensor has a storage");
        const std::span<const std::uint64_t> shape(tensor.shape, tensor.n_dims);
        fuzz::require(fuzz::is_exact_product(shape, 1, tensor.n_elements) || tensor.n_elements == 0,
                      "the element count of an accepted tensor is exact");
        fuzz::require(lies_in_storage(tensor, pickle.storages[tensor.storage].n_elements),
                      "an accepted tensor lies in its storage");
    }
    std::size_t n_items = 0;
    for (std::uint32_t value = 0; value < pickle.values.size(); ++value) {
        const PickleKind kind = pickle.kind(value);
        if (kind == PickleKind::text) pickle.text(value);
        if (kind == PickleKind::tuple || kind == PickleKind::list || pickle.is_dict(value))
            n_items += pickle.items(value).size();
    }
    fuzz::require(n_items <= pickle.links.size(), "an item belongs to one collection");
}

void parse(fuzz::Bytes bytes) {
    for (const PickleForm form : {PickleForm::zip, PickleForm::legacy})
        fuzz::accepts([&] {
            const Pickle pickle = read_pickle(bytes, form);
            fuzz::require(pickle.n_read <= bytes.size(), "a pickle ends inside the file");
            check(pickle);
            list_state_dict(pickle, std::vector<std::uint64_t>(pickle.storages.size(), 64));
        });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
