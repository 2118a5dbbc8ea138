// The table of CPU kernels: one object per instruction set, the scalar one being the oracle of every test.
//
// Bits. Every function computes each output element by a fixed sequence of operations that depends on that element's
// own inputs alone: never on how many tokens or panels one call covers. That is what makes a row of a batch
// independent of its neighbours, of the thread count and of how a prompt was cut. Fused multiply-adds are written out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/slabs.h"
#include "quant/codes.h"
#include "tensor/dtype.h"

namespace neox {

struct CpuFeatures;

inline constexpr int kQuantBlock = 32;  // activations share one scale per 32 columns

// How the activations of a matrix product are represented.
//   f32: as they are; the weights are dequantized in registers. Precision exact.
//   int16: they and the weights' values as integers of 16 bits with a scale per 64 columns (generic/matmul_int16.h), in tiles.
//        Precision high, prompt rows.
//   q8:  one signed byte each and a scale per 32 columns (absmax / 127; with K types a coarser one above it,
//        generic/coarse_scale.h), in tiles. Precision fast, prompt rows.
//   q15: two signed bytes each, value = scale * (128 * high + low), about 15 bits. Precision high and fast, step
//        rows.
enum class Arithmetic : std::uint8_t { f32, int16, q8, q15 };

// n_tokens rows of activations, each n_cols long.
struct Activations {
    Arithmetic arithmetic = Arithmetic::f32;
    int n_tokens = 0;
    std::int64_t n_cols = 0;
    const float* f32 = nullptr;  // [n_tokens, n_cols], row-major and contiguous, when arithmetic is f32
    // q15: row-major and contiguous.
    const std::int8_t* high = nullptr;  // [n_tokens, n_cols]
    const std::int8_t* low = nullptr;   // [n_tokens, n_cols]
    const float* scale = nullptr;       // [n_tokens, n_cols / 32]
    const std::int32_t* sum = nullptr;  // [n_tokens, n_cols / 16]: sums of the integers, over 16 columns each
    // q8 and int16: tiles of PromptKernels, and room for each thread to unpack weights into.
    const std::byte* tiles =
        nullptr;  // [ceil(n_tokens / tile_tokens)][ceil(n_cols / block_cols)][tile_block_bytes]
    std::byte* panels = nullptr;  // [threads][panels_bytes]
    std::size_t panels_bytes = 0;
};

// The product of panels [panel_begin, panel_end) with all tokens:
// y[token * y_stride + row] = sum over k of W[row][k] * x[token][k], for row in 16 * [panel_begin, panel_end).
// The last panel may hold fewer than 16 real rows; all 16 are written, so y needs room for whole panels.
struct MatmulArgs {
    const std::byte* weights;  // the matrix in resident layout (kernels/layout.h)
    std::size_t panel_bytes;
    std::int64_t n_panels;  // of the whole matrix
    std::int64_t panel_begin;
    std::int64_t panel_end;
    const Activations* x;
    float* y;
    std::int64_t y_stride;
};
using MatmulFn = void (*)(const MatmulArgs&);

// Blocks [first_block, first_block + n_blocks) of panels [panel, panel + n_panels); first_block is the first of a tile.
struct PanelSlice {
    const std::byte* weights;  // the matrix in resident layout
    std::size_t panel_bytes;
    std::int64_t matrix_panels;  // of the whole matrix
    std::int64_t n_cols;
    std::int64_t panel;
    int n_panels;  // 1 to tile_panels
    std::int64_t first_block;
    std::int64_t n_blocks;
};

// y[token * y_stride + row] = the sum over n_blocks blocks, for 16 * n_panels rows and n_tokens tokens; it goes on from y
// unless is_first.
struct TileArgs {
    const std::byte* panels;  // as unpack() wrote them
    const std::byte* tile;    // as quantize() wrote it, from the first of these blocks on
    std::int64_t n_blocks;
    int n_panels;  // 1 to tile_panels
    int n_tokens;  // 1 to tile_tokens
    bool is_first;
    float* y;
    std::int64_t y_stride;
    // Weights that an unpack() will read soon, to be fetched into the cache; may be none, and are under int16.
    std::span<const std::byte> fetched;
};

// The product of one weight type with q8 or int16 activations: weights are unpacked into the cache for all tokens, and
// tokens lie in tiles as they are read, a stream. Both come in blocks of columns. How they look is the instruction set's own
// affair, but for what tests rely on: a block of a tile begins with the integers, under q8 [8][tile_tokens][4] of them,
// under int16 [block_cols / 2][tile_tokens] pairs, the pair i of 32 columns being columns i and i + 16.
struct PromptKernels {
    int block_cols;  // 32, or under int16 more: then the last block of a row may be short
    int tile_tokens;
    int tile_panels;
    std::size_t tile_block_bytes;   // of a block of a tile
    std::size_t panel_block_bytes;  // of a block of tile_panels unpacked panels
    // x: [n_tokens, n_cols], 1 to tile_tokens of them; the rest of the tile becomes zeros.
    void (*quantize)(const float* x, std::int64_t n_cols, int n_tokens, std::byte* tile);
    void (*unpack)(const PanelSlice& from, std::byte* to);  // to: 64-byte aligned
    void (*multiply)(const TileArgs& args);
    // q8, else nullptr: the product with one token, bit-equal to unpack() and multiply(), for which weights are not unpacked.
    MatmulFn multiply_single;
};

enum class KvType : std::int32_t { f32 = 0, f16 = 1, q8_0 = 2 };
inline constexpr const char* kKvTypeNames[] = {"f32", "f16", "q8_0"};
inline constexpr int kKvBlock = 64;  // positions of one KV block

// A KV tile holds the keys or the values of one head over one KV block. Keys lie dimension by dimension, so that sixteen
// positions are sixteen lanes and no score needs a sum over lanes; values lie position by position:
//   f32, f16: keys [head_dim][64], values [64][head_dim]
//   q8_0: scales, f16 [ceil(head_dim / 32)][64], then codes, in the order in which a step reads them. A value is
//   scale * (code - 128), and 32 dimensions of one position share a scale (the last of them may be fewer). Codes are bytes,
//   four along the direction of a sum side by side: keys [ceil(head_dim / 4)][64][4 dimensions], values
//   [16][4 ceil(head_dim / 4)][4 positions].
// Kernels may read, and never use, up to kKvSlack bytes behind a tile.
enum class KvSide : std::int32_t { keys, values };
inline constexpr std::size_t kKvSlack = 64;
inline constexpr std::int64_t kv_scale_bytes(std::int64_t head_dim) {
    return 2 * kKvBlock * ((head_dim + kQuantBlock - 1) / kQuantBlock);
}
inline constexpr std::int64_t kv_code_bytes(std::int64_t head_dim) {
    return kKvBlock * ((head_dim + 3) / 4 * 4);
}
inline constexpr std::int64_t kv_tile_bytes(KvType type, std::int64_t head_dim) {
    if (type == KvType::q8_0) return kv_scale_bytes(head_dim) + kv_code_bytes(head_dim);
    return kKvBlock * head_dim * (type == KvType::f32 ? 4 : 2);
}

// Query rows of one sequence against its KV cache, for neighbouring heads: a row sees the positions [0, n_positions), in
// tiles of 64 aligned to absolute positions, with an online softmax in f32. A block's heads are walked in the order of the
// memory. Positions that a row does not see may hold anything.
struct AttentionArgs {
    KvType kv_type;
    int head_dim;
    float scale;  // head_dim^-0.5
    // Of f16 tiles that a row sees whole, products are those of integers of 12 bits (kernels/generic/kv_integers.h).
    bool uses_integers;
    int n_rows;  // n_rows * n_heads <= kAttentionPairs
    int n_heads;
    const std::int64_t* n_positions;  // [n_rows], pos + 1, rising
    const std::byte* const*
        k_blocks;  // [ceil(last of n_positions / 64)]: the first head's K tile; the others follow it
    const std::byte* const* v_blocks;  // same for V
    const float* q;                    // [n_rows, n_heads * head_dim], rotated
    std::int64_t q_stride;
    float* out;  // [n_rows, n_heads * head_dim]
    std::int64_t out_stride;
    std::byte* scratch;  // attention_scratch_bytes(), aligned to 64
};
inline constexpr int kAttentionPairs = 64;
// For the queries as integers, and under f16 for one tile of keys and values.
inline constexpr std::int64_t attention_scratch_bytes(std::int64_t head_dim) {
    const std::int64_t width = (head_dim + kQuantBlock - 1) / kQuantBlock * kQuantBlock;
    return width * (3 * kAttentionPairs + 4 * kKvBlock + 4) + 4 * (kKvBlock + kAttentionPairs);
}

// Blocks to be quantized by one call: 16 sub-blocks at a time, or as many as are left.
struct CodeSearch {
    DType dtype;                     // one that has block codes (quant/codes.h)
    int n_blocks;                    // 1 to code_search_blocks(dtype)
    const float* x[16];              // each block's values, finite, at most 65504 in magnitude
    const float* const* importance;  // each block's, in [0, 1], or nullptr
    float mean_square[16];           // of the row of each block; read with importance only
    BlockCodes* codes;               // [n_blocks]
};
inline constexpr int code_search_blocks(DType dtype) {
    switch (dtype) {
        case DType::Q2_K:
        case DType::Q3_K:
        case DType::Q6_K: return 1;
        case DType::Q4_K:
        case DType::Q5_K: return 2;
        default: return 16;
    }
}

struct Kernels {
    const char* name;  // that of its folder
    bool (*supported)(const CpuFeatures& cpu);

    // nullptr where a weight type cannot be combined with that arithmetic (q15 needs a quantized type), and for q8 and int16.
    MatmulFn (*matmul)(DType weights, Arithmetic activations);
    // q8, which needs a quantized type, and int16, which NEON lacks: all nullptr where there is no such product.
    PromptKernels (*prompt)(DType weights, Arithmetic activations);

    // 16 rows of a quantized type, GGUF rows `row_stride` bytes apart, n_cols columns of them, into panel `side` of a tile of
    // `width` panels of the resident layout (kernels/layout.h). The same bytes on every instruction set.
    void (*lay_out_blocks)(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                           std::byte* tile, int width, int side);

    // Quantizes one row; n is a multiple of 32; as in Activations. Bit-equal on every instruction set.
    void (*quantize_q15)(const float* x, std::int64_t n, std::int8_t* high, std::int8_t* low, float* scale,
                         std::int32_t* sum);

    // The codes with (nearly) the least weighted error; kernels/quantize_rows.h says which weights. Bit-equal on
    // every instruction set, and a block's codes depend on that block alone.
    void (*search_codes)(const CodeSearch& search);

    // y = (x - mean) / sqrt(var + eps) * weight + bias, biased variance. n > 0. x and y may be the same.
    void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, std::int64_t n,
                       float* y);
    // Rotates the first n_rot values of one head in place: pairs (j, j + n_rot / 2); cos and sin are [n_rot / 2].
    void (*rope)(float* head, const float* cos, const float* sin, int n_rot);
    void (*attention)(const AttentionArgs& args);

    // x[i] += bias[i] (bias may be nullptr), then the activation. Exact erf form 0.5 x (1 + erf(x / sqrt 2)).
    void (*bias_gelu_erf)(float* x, const float* bias, std::int64_t n);
    // Tanh form 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    void (*bias_gelu_tanh)(float* x, const float* bias, std::int64_t n);
    // y[i] += bias[i] (may be nullptr) + residual[i] (may be nullptr).
    void (*bias_add)(float* y, const float* bias, const float* residual, std::int64_t n);

    // Writes and reads the head_dim values of one position, in [0, 64), of a KV tile. f16 rounds to nearest even; q8_0
    // takes a block's largest magnitude / 127 in f16 as its scale and rounds to the nearest code. Values above 65504, under
    // q8_0 127 * 65504, and NaN spoil what they share a scale with (infinity or NaN), so that the failure shows.
    void (*store_kv)(KvType type, KvSide side, const float* src, int head_dim, std::byte* tile, int position);
    void (*load_kv)(KvType type, KvSide side, const std::byte* tile, int position, int head_dim, float* dst);

    // Largest value and log(sum(exp(x))) of one row of logits; the index is the first of the largest. *nan is set when
    // the row holds a NaN.
    void (*argmax)(const float* x, std::int64_t n, std::int32_t* index, float* value, bool* nan);
    double (*log_sum_exp)(const float* x, std::int64_t n, float max);

    // What the machine can do at best (kernels/ceiling.h). The peaks run n_rounds of independent multiply-adds from the
    // first-level cache, put something that depends on all of them into *sink and return the operations done (a
    // multiply-add is 2). peak_int8 is nullptr for scalar, peak_int16 where there are no such products. read() touches
    // every byte once and returns something that depends on all of them; bytes is a multiple of 256.
    std::int64_t (*peak_int8)(std::int64_t n_rounds, float* sink);
    std::int64_t (*peak_int16)(std::int64_t n_rounds, float* sink);
    std::int64_t (*peak_f32)(std::int64_t n_rounds, float* sink);
    std::int32_t (*read)(const std::byte* p, std::size_t bytes);
};

}  // namespace neox
