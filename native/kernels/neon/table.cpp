// The table of NEON.
#include "kernels/target.h"

#if NEOX_AARCH64

#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/neon/lanes.h"
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
namespace neon {

void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
PromptKernels find_prompt_int8(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures&) { return true; }

static PromptKernels find_prompt(DType weights, Arithmetic activations) {
    return activations == Arithmetic::q8 ? find_prompt_int8(weights) : PromptKernels{};
}

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q15: return find_matmul_step(weights);
        case Arithmetic::f32: return find_matmul_f32(weights);
        default: return nullptr;
    }
}

}  // namespace neon

const Kernels& neon_kernels() {
    static constexpr Kernels kTable = {
        .name = "neon",
        .supported = neon::is_supported,
        .matmul = neon::find_matmul,
        .prompt = neon::find_prompt,
        .lay_out_blocks = scalar::lay_out_blocks,
        .quantize_q15 = neon::quantize_q15,
        .search_codes = neon::search_codes,
        .layer_norm = neon::layer_norm,
        .rope = neon::rope,
        .attention = neon::attention,
        .bias_gelu_erf = neon::bias_gelu_erf,
        .bias_gelu_tanh = neon::bias_gelu_tanh,
        .bias_add = neon::bias_add,
        .store_kv = neon::store_kv,
        .load_kv = neon::load_kv,
        .argmax = neon::argmax,
        .log_sum_exp = neon::log_sum_exp,
        .peak_int8 = neon::peak_int8,
        .peak_int16 = nullptr,
        .peak_f32 = neon::peak_f32,
        .read = neon::read,
    };
    return kTable;
}

}  // namespace neox

#endif
