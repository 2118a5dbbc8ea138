// The table of scalar code.
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"
#include "kernels/tables.h"

#include "kernels/generic/table.h"

namespace neox {
namespace scalar {

PromptKernels find_prompt_int8(DType weights);
PromptKernels find_prompt_int16(DType weights);

static bool is_supported(const CpuFeatures&) { return true; }

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q8: return find_prompt_int8(weights);
        case Arithmetic::int16: return find_prompt_int16(weights);
        default: return {};
    }
}

static consteval Kernels make_table() {
    Kernels table = common_table();
    table.name = "scalar";
    table.supported = is_supported;
    table.prompt = find_prompt;
    table.lay_out_blocks = lay_out_blocks;
    table.peak_int16 = peak_int16;
    return table;
}

}  // namespace scalar

const Kernels& scalar_kernels() {
    static constexpr Kernels kTable = scalar::make_table();
    return kTable;
}

}  // namespace neox
