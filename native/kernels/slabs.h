// Where the panels of a resident matrix lie; kernels/layout.h says why. No instruction set here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace neox {

inline constexpr int kPanelRows = 16;  // rows interleaved, one for each lane
inline constexpr int kPairPanels = 2;  // panels whose blocks alternate: the rows of a tile
inline constexpr int kSlabPanels = 8;  // panels that share their columns' turn
inline constexpr std::int64_t kTileCols = 256;

// The tile that holds a panel's columns [column, column + kTileCols), fewer at the end of a row.
struct TilePlace {
    std::size_t offset;  // from the matrix's first byte
    int width;           // panels in the tile: 2, or 1 when the slab has an odd number and it is the last
    int side;            // which of them this panel is
    std::size_t bytes;   // of each panel's part
};

// `column` is a multiple of kTileCols below n_cols; panel_bytes as resident_panel_bytes() gives it.
constexpr TilePlace place_tile(std::int64_t n_panels, std::int64_t n_cols, std::size_t panel_bytes,
                               std::int64_t panel, std::int64_t column) {
    const std::int64_t slab = panel / kSlabPanels * kSlabPanels, left = n_panels - slab;
    const std::int64_t in_slab = left < kSlabPanels ? left : kSlabPanels;
    const std::int64_t pair = (panel - slab) / kPairPanels * kPairPanels;
    const std::int64_t end = column + kTileCols < n_cols ? column + kTileCols : n_cols;
    // A panel's bytes are spread evenly over the columns of whole tiles.
    const auto bytes_before = [&](std::int64_t k) {
        return panel_bytes * static_cast<std::size_t>(k) / static_cast<std::size_t>(n_cols);
    };
    const std::size_t before = bytes_before(column), own = bytes_before(end) - before;
    return {static_cast<std::size_t>(slab) * panel_bytes + static_cast<std::size_t>(in_slab) * before +
                static_cast<std::size_t>(pair) * own,
            in_slab - pair < kPairPanels ? 1 : kPairPanels, static_cast<int>(panel - slab - pair), own};
}

}  // namespace neox
