// The table of scalar code.
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"
#include "kernels/tables.h"

#include "kernels/generic/attention.h"
#include "kernels/generic/ceiling.h"
#include "kernels/generic/kv_rows.h"
#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"
#include "kernels/generic/quantize.h"

namespace neox {
namespace scalar {

void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
PromptKernels find_prompt_int8(DType weights);
PromptKernels find_prompt_int16(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures&) { return true; }

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

}  // namespace scalar

const Kernels& scalar_kernels() {
    static constexpr Kernels kTable = {
        .name = "scalar",
        .supported = scalar::is_supported,
        .matmul = scalar::find_matmul,
        .prompt = scalar::find_prompt,
        .lay_out_blocks = scalar::lay_out_blocks,
        .quantize_q15 = scalar::quantize_q15,
        .search_codes = scalar::search_codes,
        .layer_norm = scalar::layer_norm,
        .rope = scalar::rope,
        .attention = scalar::attention,
        .bias_gelu_erf = scalar::bias_gelu_erf,
        .bias_gelu_tanh = scalar::bias_gelu_tanh,
        .bias_add = scalar::bias_add,
        .store_kv = scalar::store_kv,
        .load_kv = scalar::load_kv,
        .argmax = scalar::argmax,
        .log_sum_exp = scalar::log_sum_exp,
        .peak_int8 = nullptr,
        .peak_int16 = scalar::peak_int16,
        .peak_f32 = scalar::peak_f32,
        .read = scalar::read,
    };
    return kTable;
}

}  // namespace neox
