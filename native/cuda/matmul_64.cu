#include "cuda/matmul.cuh"

namespace neox::cuda {

void launch_tile_64(Stream& stream, DType dtype, const MatmulTask& task) {
    launch_tile<Tile64>(stream, dtype, task);
}

}  // namespace neox::cuda
