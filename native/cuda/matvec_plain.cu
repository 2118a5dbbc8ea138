#include "cuda/matvec.cuh"

namespace neox::cuda {

MatvecKernel matvec_plain_kernel(DType dtype, MatvecSize size) {
    switch (dtype) {
        case DType::F32: return matvec_kernel_of<DType::F32>(size);
        case DType::F16: return matvec_kernel_of<DType::F16>(size);
        case DType::BF16: return matvec_kernel_of<DType::BF16>(size);
        case DType::Q8_0: return matvec_kernel_of<DType::Q8_0>(size);
        case DType::IQ4_NL: return matvec_kernel_of<DType::IQ4_NL>(size);
        default: fail_no_planes(dtype);
    }
}

}  // namespace neox::cuda
