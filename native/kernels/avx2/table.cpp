// The table of AVX2.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx2/lanes.h"
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
namespace avx2 {

void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
PromptKernels find_prompt_int8(DType weights);
PromptKernels find_prompt_int16(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) { return cpu.avx2 && cpu.fma && cpu.f16c; }

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

}  // namespace avx2

const Kernels& avx2_kernels() {
    static constexpr Kernels kTable = {
        .name = "avx2",
        .supported = avx2::is_supported,
        .matmul = avx2::find_matmul,
        .prompt = avx2::find_prompt,
        .lay_out_blocks = scalar::lay_out_blocks,
        .quantize_q15 = avx2::quantize_q15,
        .search_codes = avx2::search_codes,
        .layer_norm = avx2::layer_norm,
        .rope = avx2::rope,
        .attention = avx2::attention,
        .bias_gelu_erf = avx2::bias_gelu_erf,
        .bias_gelu_tanh = avx2::bias_gelu_tanh,
        .bias_add = avx2::bias_add,
        .store_kv = avx2::store_kv,
        .load_kv = avx2::load_kv,
        .argmax = avx2::argmax,
        .log_sum_exp = avx2::log_sum_exp,
        .peak_int8 = avx2::peak_int8,
        .peak_int16 = avx2::peak_int16,
        .peak_f32 = avx2::peak_f32,
        .read = avx2::read,
    };
    return kTable;
}

}  // namespace neox

#endif
