#include "model/fingerprint.h"

#include <vector>

#include "base/hash.h"

namespace neox {

std::uint64_t fingerprint(const TensorSource& source, const LoadPlan& plan) {
    Hash64 hash;
    std::vector<std::byte> bytes;
    for (const auto& [index, spec] : plan.tensors) {
        const Tensor& tensor = source.tensors()[index];
        for (const auto value : {static_cast<std::int64_t>(spec.role), std::int64_t{spec.layer},
                                 static_cast<std::int64_t>(spec.dtype),
                                 static_cast<std::int64_t>(tensor.dtype), spec.n_rows, spec.n_cols})
            hash.add_word(static_cast<std::uint64_t>(value));
        bytes.resize(static_cast<std::size_t>(row_bytes(tensor.dtype, tensor.n_cols())));
        const std::uint64_t n_rows = tensor.n_rows();
        for (const std::uint64_t row : {std::uint64_t{0}, n_rows / 2, n_rows - 1}) {
            source.read_rows(index, row, 1, bytes.data());
            hash.add(bytes);
        }
    }
    return hash.value();
}

}  // namespace neox
