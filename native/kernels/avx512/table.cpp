// The table of AVX-512.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512/lanes.h"
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/tables.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/table.h"
NEOX_TARGET_END

namespace neox {
namespace avx512 {

void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side);
PromptKernels find_prompt_int8(DType weights);
PromptKernels find_prompt_int16(DType weights);

static bool is_supported(const CpuFeatures& cpu) {
    return cpu.avx512f && cpu.avx512bw && cpu.avx512vl && cpu.avx512dq && cpu.avx2 && cpu.fma && cpu.f16c;
}

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q8: return find_prompt_int8(weights);
        case Arithmetic::int16: return find_prompt_int16(weights);
        default: return {};
    }
}

static consteval Kernels make_table() {
    Kernels table = common_table();
    table.name = "avx512";
    table.supported = is_supported;
    table.prompt = find_prompt;
    table.lay_out_blocks = lay_out_blocks;
    table.peak_int8 = peak_int8;
    table.peak_int16 = peak_int16;
    return table;
}

}  // namespace avx512

const Kernels& avx512_kernels() {
    static constexpr Kernels kTable = avx512::make_table();
    return kTable;
}

}  // namespace neox

#endif
