// The table of AVX-512 BF16: that of AVX-512 VNNI with bf16 products added.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/cpu_features.h"
#include "kernels/kernels.h"
#include "kernels/tables.h"

namespace neox {
namespace avx512bf16 {

MatmulFn find_matmul_bf16(DType weights);
void pack_bf16(const float* x, int n_tokens, std::int64_t n_cols, std::uint32_t* pairs);
std::int64_t peak_bf16(std::int64_t n_rounds, float* sink);

static bool is_supported(const CpuFeatures& cpu) {
    return cpu.avx512bf16 && avx512vnni_kernels().supported(cpu);
}

static MatmulFn find_matmul(DType weights, Arithmetic activations) {
    return activations == Arithmetic::bf16 ? find_matmul_bf16(weights)
                                           : avx512vnni_kernels().matmul(weights, activations);
}

static Kernels make_table() {
    Kernels table = avx512vnni_kernels();
    table.name = "avx512bf16";
    table.supported = is_supported;
    table.matmul = find_matmul;
    table.pack_bf16 = pack_bf16;
    table.peak_bf16 = peak_bf16;
    return table;
}

}  // namespace avx512bf16

const Kernels& avx512bf16_kernels() {
    static const Kernels kTable = avx512bf16::make_table();
    return kTable;
}

}  // namespace neox

#endif
