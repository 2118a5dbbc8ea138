// An importance matrix in both of its forms, and what quantization makes of it.
#include <cmath>

#include "fuzz.h"
#include "model/imatrix.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    const ImportanceMatrix matrix = parse_imatrix(bytes);
    for (const auto& [name, entry] : matrix.entries)
        for (const float weight : entry.weights())
            fuzz::require(std::isfinite(weight) && weight > 0.0f && weight <= 1.0f,
                          "weights of errors are above 0 and at most 1");
    ImportanceMatrix sum;
    add_imatrix(sum, matrix);
    add_imatrix(sum, matrix);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
