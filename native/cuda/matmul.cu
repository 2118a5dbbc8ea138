#include "cuda/matmul.h"

#include <algorithm>

#include "cuda/matmul.cuh"

namespace neox::cuda {

namespace {

constexpr int kSegmentUnit = 128;                // a multiple of every tile's step
constexpr int kLeastSegment = 4 * kSegmentUnit;  // below, a block is done before its copies are under way
constexpr int kMostSegments = 8;
// 512 tokens of so many tiles of 128 rows are 264 blocks, two for each multiprocessor of an H200.
constexpr int kWantedTiles = 66;

std::int64_t tiles(std::int64_t n, std::int64_t of) { return (n + of - 1) / of; }

}  // namespace

MatmulSegments matmul_segments(std::int64_t n_rows, std::int64_t n_cols) {
    const std::int64_t n_tiles = std::max<std::int64_t>(1, tiles(n_rows, Tile128::kRows));
    const std::int64_t wanted = (2 * kWantedTiles + n_tiles) / (2 * n_tiles);
    const std::int64_t most = std::min<std::int64_t>(kMostSegments, n_cols / kLeastSegment);
    const std::int64_t n = std::max<std::int64_t>(1, std::min(wanted, most));
    const std::int64_t columns =
        std::max<std::int64_t>(1, tiles(tiles(n_cols, n), kSegmentUnit)) * kSegmentUnit;
    return {static_cast<int>(std::max<std::int64_t>(1, tiles(n_cols, columns))), static_cast<int>(columns)};
}

MatmulTile choose_matmul_tile(std::int64_t n_rows, std::int64_t n_cols, int n_tokens, int n_multiprocessors) {
    if (n_tokens <= Tile16::kTokens) return MatmulTile::tokens16;
    if (n_tokens <= Tile64::kTokens) return MatmulTile::tokens64;
    // Large tiles take the fewest instructions for a result, but they need company: one alone leaves its multiprocessor waiting.
    const std::int64_t n_large =
        tiles(n_rows, Tile128::kRows) * tiles(n_tokens, Tile128::kTokens) * matmul_segments(n_rows, n_cols).n;
    return 2 * n_large > 3 * n_multiprocessors ? MatmulTile::tokens128 : MatmulTile::tokens64;
}

std::uint64_t matmul_partial_bytes(std::int64_t n_rows, std::int64_t n_cols, int n_tokens) {
    const int n = matmul_segments(n_rows, n_cols).n;
    if (n == 1) return 0;
    const auto sums = static_cast<std::uint64_t>(tiles(n_rows, 128) * tiles(n_tokens, 128)) * (128 * 128);
    return static_cast<std::uint64_t>(n) * sums * sizeof(float);
}

std::int64_t matmul_tickets(std::int64_t n_rows, std::int64_t n_cols, int n_tokens) {
    return matmul_segments(n_rows, n_cols).n == 1
               ? 0
               : tiles(n_rows, Tile16::kRows) * tiles(n_tokens, Tile16::kTokens);
}

void launch_matmul(Stream& stream, const MatmulArgs& args) {
    const MatrixView& w = args.weights;
    if (args.n_tokens == 0 || w.n_rows == 0) return;
    const MatmulSegments segments = matmul_segments(w.n_rows, w.n_cols);
    MatmulTask task{w, args.x, args.x_stride, segments.columns, {}};
    task.results = {args.epilogue, args.x_scale, args.y,       args.y_stride, args.n_tokens,
                    w.n_rows,      args.partial, args.tickets, segments.n};
    const MatmulTile tile =
        args.tile == MatmulTile::automatic
            ? choose_matmul_tile(w.n_rows, w.n_cols, args.n_tokens, args.n_multiprocessors)
            : args.tile;
    switch (tile) {
        case MatmulTile::tokens16: return launch_tile_16(stream, w.dtype, task);
        case MatmulTile::tokens64: return launch_tile_64(stream, w.dtype, task);
        default: return launch_tile_128(stream, w.dtype, task);
    }
}

}  // namespace neox::cuda
