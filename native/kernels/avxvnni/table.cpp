// The table of AVX-VNNI: that of AVX2 but for what multiplies bytes and pairs of 16-bit integers.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avxvnni/lanes.h"
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/tables.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/attention.h"
#include "kernels/generic/ceiling.h"
NEOX_TARGET_END

namespace neox {
namespace avxvnni {

PromptKernels find_prompt_int8(DType weights);
void multiply_int16(const TileArgs& args);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) { return cpu.avxvnni && avx2_kernels().supported(cpu); }

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    return activations == Arithmetic::q15 ? find_matmul_step(weights)
                                          : avx2_kernels().matmul(weights, activations);
}

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    if (activations == Arithmetic::q8) return find_prompt_int8(weights);
    PromptKernels prompt = avx2_kernels().prompt(weights, activations);
    if (prompt.multiply) prompt.multiply = multiply_int16;
    return prompt;
}

static Kernels make_table() {
    Kernels table = avx2_kernels();
    table.name = "avxvnni";
    table.supported = is_supported;
    table.matmul = find_matmul;
    table.prompt = find_prompt;
    table.attention = attention;
    table.peak_int8 = peak_int8;
    table.peak_int16 = peak_int16;
    return table;
}

}  // namespace avxvnni

const Kernels& avxvnni_kernels() {
    static const Kernels kTable = avxvnni::make_table();
    return kTable;
}

}  // namespace neox

#endif
