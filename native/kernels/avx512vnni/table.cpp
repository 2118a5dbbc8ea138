// The table of AVX-512 VNNI.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512vnni/lanes.h"
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
namespace avx512vnni {

void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
const PromptKernels* find_prompt(DType weights);
MatmulFn find_matmul_step(DType weights);

static bool is_supported(const CpuFeatures& cpu) {
    return cpu.avx512f && cpu.avx512bw && cpu.avx512vl && cpu.avx512dq && cpu.avx512vnni && cpu.avx2 &&
           cpu.fma && cpu.f16c;
}

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q15: return find_matmul_step(weights);
        case Arithmetic::f32: return find_matmul_f32(weights);
        default: return nullptr;
    }
}

}  // namespace avx512vnni

const Kernels& avx512vnni_kernels() {
    static constexpr Kernels kTable = {
        .name = "avx512vnni",
        .supported = avx512vnni::is_supported,
        .matmul = avx512vnni::find_matmul,
        .prompt = avx512vnni::find_prompt,
        .pack_bf16 = nullptr,
        .quantize_q15 = avx512vnni::quantize_q15,
        .search_codes = avx512vnni::search_codes,
        .layer_norm = avx512vnni::layer_norm,
        .rope = avx512vnni::rope,
        .attention = avx512vnni::attention,
        .bias_gelu_erf = avx512vnni::bias_gelu_erf,
        .bias_gelu_tanh = avx512vnni::bias_gelu_tanh,
        .bias_add = avx512vnni::bias_add,
        .store_kv = avx512vnni::store_kv,
        .load_kv = avx512vnni::load_kv,
        .argmax = avx512vnni::argmax,
        .log_sum_exp = avx512vnni::log_sum_exp,
        .peak_int8 = avx512vnni::peak_int8,
        .peak_bf16 = nullptr,
        .peak_f32 = avx512vnni::peak_f32,
        .read = avx512vnni::read,
    };
    return kTable;
}

}  // namespace neox

#endif
