// pytorch_model.bin in both of its forms.
#include "base/byte_source.h"
#include "checkpoint/torch.h"
#include "fuzz.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    for (const StoredTensor& tensor : parse_torch(MemoryBytes(bytes))) {
        std::uint64_t n_elements = 1;
        for (const std::uint64_t dim : tensor.shape) n_elements *= dim;
        fuzz::require(fuzz::is_exact_product(tensor.shape, 1, n_elements) || tensor.n_bytes == 0,
                      "the element count of an accepted tensor is exact");
        fuzz::require(n_elements == 0 || tensor.n_bytes % n_elements == 0,
                      "the size of an accepted tensor is a multiple of its elements");
        if (tensor.is_contiguous)
            fuzz::require(tensor.offset <= bytes.size() && tensor.n_bytes <= bytes.size() - tensor.offset,
                          "an accepted tensor lies inside the file");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
