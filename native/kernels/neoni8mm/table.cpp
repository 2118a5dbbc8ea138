// The table of NEON with i8mm: that of NEON but for what multiplies bytes.
#include "kernels/target.h"

#if NEOX_AARCH64_DOT

#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/neoni8mm/lanes.h"
#include "kernels/tables.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/attention.h"
#include "kernels/generic/ceiling.h"
NEOX_TARGET_END

namespace neox {
namespace neoni8mm {

PromptKernels find_prompt_int8(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) { return cpu.dotprod && cpu.i8mm; }

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    return activations == Arithmetic::q8 ? find_prompt_int8(weights) : PromptKernels{};
}

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q15: return find_matmul_step(weights);
        default: return neon_kernels().matmul(weights, activations);
    }
}

static Kernels make_table() {
    Kernels table = neon_kernels();
    table.name = "neoni8mm";
    table.supported = is_supported;
    table.matmul = find_matmul;
    table.prompt = find_prompt;
    table.attention = attention;
    table.peak_int8 = peak_int8;
    return table;
}

}  // namespace neoni8mm

const Kernels& neoni8mm_kernels() {
    static const Kernels kTable = neoni8mm::make_table();
    return kTable;
}

}  // namespace neox

#endif
