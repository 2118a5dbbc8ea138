// The table of AVX-VNNI: that of AVX2 but for what multiplies bytes.
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

const PromptKernels* find_prompt(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) { return cpu.avxvnni && avx2_kernels().supported(cpu); }

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    return activations == Arithmetic::q15 ? find_matmul_step(weights)
                                          : avx2_kernels().matmul(weights, activations);
}

static Kernels make_table() {
    Kernels table = avx2_kernels();
    table.name = "avxvnni";
    table.supported = is_supported;
    table.matmul = find_matmul;
    table.prompt = find_prompt;
    table.attention = attention;
    table.peak_int8 = peak_int8;
    return table;
}

}  // namespace avxvnni

const Kernels& avxvnni_kernels() {
    static const Kernels kTable = avxvnni::make_table();
    return kTable;
}

}  // namespace neox

#endif
