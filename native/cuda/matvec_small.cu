#include "cuda/matvec.cuh"

namespace neox::cuda {

MatvecKernel matvec_small_kernel(DType dtype, MatvecSize size) {
    switch (dtype) {
        case DType::Q4_0: return matvec_kernel_of<DType::Q4_0>(size);
        case DType::Q4_1: return matvec_kernel_of<DType::Q4_1>(size);
        case DType::Q5_0: return matvec_kernel_of<DType::Q5_0>(size);
        case DType::Q5_1: return matvec_kernel_of<DType::Q5_1>(size);
        default: fail_no_planes(dtype);
    }
}

}  // namespace neox::cuda
