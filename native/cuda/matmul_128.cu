#include "cuda/matmul.cuh"

namespace neox::cuda {

void launch_tile_128(Stream& stream, DType dtype, const MatmulTask& task) {
    launch_tile<Tile128>(stream, dtype, task);
}

}  // namespace neox::cuda
