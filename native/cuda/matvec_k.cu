#include "cuda/matvec.cuh"

namespace neox::cuda {

MatvecKernel matvec_k_kernel(DType dtype, MatvecSize size) {
    switch (dtype) {
        case DType::Q2_K: return matvec_kernel_of<DType::Q2_K>(size);
        case DType::Q3_K: return matvec_kernel_of<DType::Q3_K>(size);
        case DType::Q4_K: return matvec_kernel_of<DType::Q4_K>(size);
        case DType::Q5_K: return matvec_kernel_of<DType::Q5_K>(size);
        case DType::Q6_K: return matvec_kernel_of<DType::Q6_K>(size);
        default: fail_no_planes(dtype);
    }
}

}  // namespace neox::cuda
