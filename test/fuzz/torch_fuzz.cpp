// pytorch_model.bin in both of its forms.
#include "base/byte_source.h"
#include "checkpoint/torch.h"
#include "fuzz.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    for (const StoredTensor& tensor : parse_torch(MemoryBytes(bytes))) {
        fuzz::require_exact_size(tensor);
        if (tensor.is_contiguous)
            fuzz::require(tensor.offset <= bytes.size() && tensor.n_bytes <= bytes.size() - tensor.offset,
                          "an accepted tensor lies inside the file");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
