// What a pass launches and what memory a backend takes, decided on the host from numbers alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/backend.h"
#include "model/config.h"

namespace neox::cuda {

// Rows of the head's products at a time: their logits are what bounds the memory.
inline constexpr int kHeadRows = 64;
// From so many rows of prompts on, a pass looks for cancelled sequences between layers.
inline constexpr int kLongPass = 64;

// Distance between rows of activations with n columns; what is beyond n is zero.
constexpr std::int64_t row_stride(std::int64_t n) { return (n + 31) / 32 * 32; }

// How the rows of a matrix product are multiplied.
//   columns  a few rows, each weight read once for all of them; f32 activations, an order of sums of its own (cuda/matvec.h)
//   tensor   any number of rows in tiles on the tensor cores; activations in f16 with a scale per row (cuda/matmul.h)
//   f32      any number of rows, f32 throughout (cuda/matmul.h)
enum class Product : std::int32_t { columns, tensor, f32 };

// Slots [begin, begin + n) of the live rows.
struct RowRange {
    int begin, n;
    Product product;
};

// The live rows are those of prompts, then those of steps. At most two ranges, of which the second may be empty.
//   A row of a prompt takes `tensor`, under Precision::exact `f32`. A row of a step takes `columns`; more than eight in one pass
// take `tensor` instead where neither exactness nor determinism is asked for: then they have the arithmetic of prompts.
struct ProductPlan {
    RowRange ranges[2];
};
ProductPlan plan_products(const BackendOptions& options, int n_prompt, int n_step);

// Where a pass's data lies in its one upload, in bytes; places depend on n_rows alone, so that a graph for n_rows rows finds
// them again. `end` is behind the block tables of n_sequences.
struct InputLayout {
    std::size_t rows;    // DeviceRow [n_rows]
    std::size_t tokens;  // i32 [n_rows]; -1: the row was given its vector
    std::size_t slots;   // i32 [n_rows]: of the rows that have outputs
    std::size_t groups;  // RowGroup [n_rows]: of the attention
    std::size_t blocks;  // i32 [n_sequences][blocks_stride]
    std::size_t end;
};
InputLayout input_layout(const BackendOptions& options, int n_rows, int n_sequences);
// Blocks that a sequence can have.
std::int32_t blocks_stride(const BackendOptions& options);

// Elements of a backend's own working memory on the device.
struct ScratchSizes {
    std::size_t x, mid, attn;  // f32 [max_rows][row_stride(n_embd)]
    std::size_t qkv, ffn;      // f32 [max_rows][row_stride(3 n_embd, n_ff)]
    std::size_t norm;          // f32 [max_rows or kHeadRows][row_stride(n_embd)]
    std::size_t
        rounded;  // f16 [max_rows or kHeadRows][row_stride of the wider of n_embd and n_ff]; 0 under exact
    std::size_t row_scales;  // f32 [max_rows or kHeadRows]; 0 under exact
    std::size_t partial;     // f32, of a matrix product whose columns are cut
    std::size_t tickets;     // i32, likewise
    std::size_t picked;      // f32 [kHeadRows][row_stride(n_embd)]
    std::size_t logits;      // f32 [kHeadRows][row_stride(n_vocab)]
    std::size_t input;       // bytes
    std::uint64_t bytes() const;
};
ScratchSizes scratch_sizes(const Config& config, const BackendOptions& options);
// Of all that a backend allocates beside its KV cache.
std::uint64_t scratch_bytes(const Config& config, const BackendOptions& options);

// Throws ERR_NEOX_INTERNAL for layers that the model has not, ERR_NEOX_UNSUPPORTED for more rows than a launch can have.
void check_options(const Config& config, const BackendOptions& options);

}  // namespace neox::cuda
