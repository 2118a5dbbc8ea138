// The table of AVX-512.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512/lanes.h"
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/tables.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/attention.h"
#include "kernels/generic/ceiling.h"
#include "kernels/generic/kv_rows.h"
#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"
#include "kernels/generic/quantize.h"
NEOX_TARGET_END

namespace neox {
namespace avx512 {

void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side);
void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
PromptKernels find_prompt_int8(DType weights);
PromptKernels find_prompt_int16(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) {
    return cpu.avx512f && cpu.avx512bw && cpu.avx512vl && cpu.avx512dq && cpu.avx2 && cpu.fma && cpu.f16c;
}

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q15: return find_matmul_step(weights);
        case Arithmetic::f32: return find_matmul_f32(weights);
        default: return nullptr;
    }
}

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q8: return find_prompt_int8(weights);
        case Arithmetic::int16: return find_prompt_int16(weights);
        default: return {};
    }
}

}  // namespace avx512

const Kernels& avx512_kernels() {
    static constexpr Kernels kTable = {
        .name = "avx512",
        .supported = avx512::is_supported,
        .matmul = avx512::find_matmul,
        .prompt = avx512::find_prompt,
        .lay_out_blocks = avx512::lay_out_blocks,
        .quantize_q15 = avx512::quantize_q15,
        .search_codes = avx512::search_codes,
        .layer_norm = avx512::layer_norm,
        .rope = avx512::rope,
        .attention = avx512::attention,
        .bias_gelu_erf = avx512::bias_gelu_erf,
        .bias_gelu_tanh = avx512::bias_gelu_tanh,
        .bias_add = avx512::bias_add,
        .store_kv = avx512::store_kv,
        .load_kv = avx512::load_kv,
        .argmax = avx512::argmax,
        .log_sum_exp = avx512::log_sum_exp,
        .peak_int8 = avx512::peak_int8,
        .peak_int16 = avx512::peak_int16,
        .peak_f32 = avx512::peak_f32,
        .read = avx512::read,
    };
    return kTable;
}

}  // namespace neox

#endif
