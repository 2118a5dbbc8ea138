#include "cuda/matmul.cuh"

namespace neox::cuda {

void launch_tile_16(Stream& stream, DType dtype, const MatmulTask& task) {
    launch_tile<Tile16>(stream, dtype, task);
}

}  // namespace neox::cuda
