// The live rows of a pass, as kernels see them: slot i of every activation belongs to rows[i]. Prompt rows come first, then step
// rows; rows of one sequence in rising positions.
//
// They and the block tables are in the device's memory before the first kernel of a pass begins: kernels read them without
// waiting for the kernel before. So the first kernel of a pass, launch_embed_rows(), must not overlap what is before it: it begins
// when the upload has ended and nobody reads the last pass's rows any more, and no later kernel begins before it.
#pragma once

#include <cstdint>

namespace neox::cuda {

struct DeviceRow {
    std::int32_t sequence;  // its blocks begin at blocks[sequence * blocks_stride]
    std::int32_t pos;
    std::int32_t rope;   // its row of the rotary table (cuda/rope.h)
    std::int32_t phase;  // RowPhase
};

// Rows [row, row + n_rows) of one sequence, which one block of threads takes. n_rows 0: nothing to do.
struct RowGroup {
    std::int32_t row;
    std::int32_t n_rows;
};

}  // namespace neox::cuda
