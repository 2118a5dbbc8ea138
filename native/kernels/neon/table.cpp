// The table of NEON.
#include "kernels/target.h"

#if NEOX_AARCH64

#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/neon/lanes.h"
#include "kernels/tables.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/table.h"
NEOX_TARGET_END

namespace neox {
namespace neon {

PromptKernels find_prompt_int8(DType weights);

static bool is_supported(const CpuFeatures&) { return true; }

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    return activations == Arithmetic::q8 ? find_prompt_int8(weights) : PromptKernels{};
}

static consteval Kernels make_table() {
    Kernels table = common_table();
    table.name = "neon";
    table.supported = is_supported;
    table.prompt = find_prompt;
    table.lay_out_blocks = scalar::lay_out_blocks;
    table.peak_int8 = peak_int8;
    return table;
}

}  // namespace neon

const Kernels& neon_kernels() {
    static constexpr Kernels kTable = neon::make_table();
    return kTable;
}

}  // namespace neox

#endif
