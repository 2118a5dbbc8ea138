#include "cuda/split_planes.h"

#include "cuda/formats.cuh"
#include "quant/blocks.h"

namespace neox::cuda {

namespace {

constexpr int kThreads = 128;

// --- What the file's blocks hold (quant/blocks.h): code i of a block as its unsigned integer, and for group s of a block the words
// of the planes of scales and supers.

NEOX_DEVICE std::uint32_t nibble(const std::uint8_t* qs, int i) { return qs[i % 16] >> 4 * (i / 16) & 15u; }
NEOX_DEVICE std::uint32_t fifth_bit(const std::uint8_t* qh, int i) { return (qh[i / 8] >> i % 8 & 1u) << 4; }
NEOX_DEVICE std::uint32_t half_nibble(const std::uint8_t* qs, int i) {  // Q4_K, Q5_K
    return qs[i / 64 * 32 + i % 32] >> 4 * (i / 32 % 2) & 15u;
}
NEOX_DEVICE std::uint32_t bit_pair(const std::uint8_t* qs, int i) {  // Q2_K, Q3_K, the high bits of Q6_K
    return qs[i / 128 * 32 + i % 32] >> 2 * (i / 32 % 4) & 3u;
}
NEOX_DEVICE std::uint32_t bit_plane(const std::uint8_t* qh, int i) { return qh[i % 32] >> i / 32 & 1u; }

NEOX_DEVICE std::uint32_t two_halves(std::uint16_t low, std::uint16_t high) {
    return low | static_cast<std::uint32_t>(high) << 16;
}
NEOX_DEVICE std::uint32_t two_bytes(std::uint32_t low, std::uint32_t high) { return low | high << 8; }

// The 6-bit scale and minimum of Q4_K and Q5_K.
NEOX_DEVICE std::uint32_t scale_and_min(const std::uint8_t* scales, int s) {
    if (s < 4) return two_bytes(scales[s] & 63u, scales[s + 4] & 63u);
    const std::uint32_t low = scales[s + 4];
    return two_bytes((low & 15u) | (scales[s - 4] >> 6) << 4, low >> 4 | (scales[s] >> 6) << 4);
}
NEOX_DEVICE std::uint32_t q3_scale(const std::uint8_t* scales, int s) {  // - 32 + 128
    return ((scales[s % 8] >> 4 * (s / 8) & 15u) | (scales[8 + s % 4] >> 2 * (s / 4) & 3u) << 4) + 96u;
}

template <DType t> struct Source;
template <> struct Source<DType::Q8_0> {
    using Block = BlockQ8_0;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        return static_cast<std::uint8_t>(b.qs[i]) ^ 0x80u;
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return b.d; }
};
template <> struct Source<DType::Q4_0> {
    using Block = BlockQ4_0;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) { return nibble(b.qs, i); }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return b.d; }
};
template <> struct Source<DType::IQ4_NL> {
    using Block = BlockIQ4_NL;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) { return nibble(b.qs, i); }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return b.d; }
};
template <> struct Source<DType::Q4_1> {
    using Block = BlockQ4_1;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) { return nibble(b.qs, i); }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return two_halves(b.d, b.m); }
};
template <> struct Source<DType::Q5_0> {
    using Block = BlockQ5_0;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        return nibble(b.qs, i) | fifth_bit(b.qh, i);
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return b.d; }
};
template <> struct Source<DType::Q5_1> {
    using Block = BlockQ5_1;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        return nibble(b.qs, i) | fifth_bit(b.qh, i);
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int) { return two_halves(b.d, b.m); }
};
template <> struct Source<DType::Q2_K> {
    using Block = BlockQ2_K;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) { return bit_pair(b.qs, i); }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int s) {
        return two_bytes(b.scales[2 * s], b.scales[2 * s + 1]);
    }
    static NEOX_DEVICE std::uint32_t super(const Block& b) { return two_halves(b.d, b.dmin); }
};
template <> struct Source<DType::Q3_K> {
    using Block = BlockQ3_K;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        return bit_pair(b.qs, i) | bit_plane(b.hmask, i) << 2;
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int s) {
        return two_bytes(q3_scale(b.scales, 2 * s), q3_scale(b.scales, 2 * s + 1));
    }
    static NEOX_DEVICE std::uint32_t super(const Block& b) { return b.d; }
};
template <> struct Source<DType::Q4_K> {
    using Block = BlockQ4_K;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) { return half_nibble(b.qs, i); }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int s) { return scale_and_min(b.scales, s); }
    static NEOX_DEVICE std::uint32_t super(const Block& b) { return two_halves(b.d, b.dmin); }
};
template <> struct Source<DType::Q5_K> {
    using Block = BlockQ5_K;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        return half_nibble(b.qs, i) | bit_plane(b.qh, i) << 4;
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int s) { return scale_and_min(b.scales, s); }
    static NEOX_DEVICE std::uint32_t super(const Block& b) { return two_halves(b.d, b.dmin); }
};
template <> struct Source<DType::Q6_K> {
    using Block = BlockQ6_K;
    static NEOX_DEVICE std::uint32_t code(const Block& b, int i) {
        const std::uint32_t low = b.ql[i / 128 * 64 + i % 64] >> 4 * (i / 64 % 2) & 15u;
        return low | bit_pair(b.qh, i) << 4;
    }
    static NEOX_DEVICE std::uint32_t scale(const Block& b, int s) {
        return two_bytes(static_cast<std::uint8_t>(b.scales[2 * s]) ^ 0x80u,
                         static_cast<std::uint8_t>(b.scales[2 * s + 1]) ^ 0x80u);
    }
    static NEOX_DEVICE std::uint32_t super(const Block& b) { return b.d; }
};

// --- Where the planes have them (cuda/planes.h).

// Or-s the code of column c into the group's words, which are 0 at first.
template <DType t> NEOX_DEVICE void put_code(Group<t>& group, int c, std::uint32_t code) {
    const int j = c / 2, h = c % 2;
    if constexpr (kCodeWords<t> == 8) {
        group.codes[c / 4] |= code << 8 * (c % 4);
    } else if constexpr (t == DType::IQ4_NL) {
        group.codes[c / 8] |= code << 4 * (c % 8);
    } else if constexpr (kCodeWords<t> == 4) {
        group.codes[c / 8] |= (code & 15u) << 4 * (j % 4 + 4 * h);
    } else {
        group.codes[c / 16] |= (code & 3u) << (2 * (j % 8) + 16 * h);
    }
    if constexpr (kCodeWords<t> == 2 && kHighWords<t> == 1) {
        group.high[0] |= (code >> 2) << (2 + 16 * h + j) % 32;
    } else if constexpr (kHighWords<t> == 1) {
        const int m = j / 2, k = m % 4 + 8 * (m / 4);
        group.high[0] |= (code >> 4) << (4 + 4 * (j % 2) + 16 * h + k) % 32;
    } else if constexpr (kHighWords<t> == 2) {
        const int m = j % 8 / 2, k = 2 * (m % 2) + 8 * (m / 2);
        group.high[j / 8] |= (code >> 4) << (4 + 4 * (j % 2) + 16 * h + k) % 32;
    }
}

template <class T> NEOX_DEVICE void put(const std::byte* plane, std::int64_t index, std::uint32_t word) {
    reinterpret_cast<T*>(const_cast<std::byte*>(plane))[index] = static_cast<T>(word);
}

template <DType t>
NEOX_DEVICE void store_group(const MatrixView& m, std::int32_t chunk, int place, const Group<t>& group) {
    const std::int64_t index = static_cast<std::int64_t>(chunk) * kChunkGroups + place;
    if constexpr (kCodeWords<t> < 4) {
        for (int i = 0; i < kCodeWords<t>; ++i) put<std::uint32_t>(m.codes, 2 * index + i, group.codes[i]);
    } else {
        NEOX_UNROLL
        for (int part = 0; part < kCodeParts<t>; ++part) {
            Words4 words;
            for (int i = 0; i < 4; ++i) words.x[i] = group.codes[4 * part + i];
            store_16(const_cast<std::byte*>(code_piece<t>(m, chunk, place, part)), words);
        }
    }
    for (int i = 0; i < kHighWords<t>; ++i)
        put<std::uint32_t>(m.high, kHighWords<t> * index + i, group.high[i]);
    if constexpr (kScaleBytes<t> == 2) put<std::uint16_t>(m.scales, index, group.scale);
    if constexpr (kScaleBytes<t> == 4) put<std::uint32_t>(m.scales, index, group.scale);
    if (place != 0) return;
    if constexpr (kSuperBytes<t> == 2) put<std::uint16_t>(m.supers, chunk, group.super);
    if constexpr (kSuperBytes<t> == 4) put<std::uint32_t>(m.supers, chunk, group.super);
}

// --- Groups of a row of the file.

template <DType t>
NEOX_DEVICE void read_group(const SplitPlanesArgs& a, std::int32_t row, std::int32_t index, Group<t>& group) {
    if constexpr (kHasCodes<t>) {
        using Block = typename Source<t>::Block;
        constexpr int kBlockGroups = kSuperBytes < t >> 0 ? kChunkGroups : 1;
        const std::int64_t n_blocks = a.n_cols / (kGroupColumns * kBlockGroups);
        const Block& block = reinterpret_cast<const Block*>(a.rows)[row * n_blocks + index / kBlockGroups];
        const int s = index % kBlockGroups;
        NEOX_UNROLL
        for (int c = 0; c < kGroupColumns; ++c)
            put_code(group, c, Source<t>::code(block, s * kGroupColumns + c));
        group.scale = Source<t>::scale(block, s);
        if constexpr (kSuperBytes < t >> 0) group.super = Source<t>::super(block);
    } else if constexpr (t == DType::F32) {
        const auto* from = reinterpret_cast<const std::uint32_t*>(a.rows) + std::int64_t{row} * a.n_cols;
        for (int c = 0; c < kGroupColumns; ++c) {
            const int column = index * kGroupColumns + c;
            group.codes[c] = column < a.n_cols ? from[column] : 0;
        }
    } else {
        const auto* from = reinterpret_cast<const std::uint16_t*>(a.rows) + std::int64_t{row} * a.n_cols;
        NEOX_UNROLL
        for (int c = 0; c < kGroupColumns; ++c) {
            const int column = index * kGroupColumns + c;
            const std::uint32_t half = column < a.n_cols ? from[column] : 0;
            group.codes[c / 2] |= half << 16 * (c % 2);
        }
    }
}

// A thread per group.
template <DType t> NEOX_KERNEL void split_planes(SplitPlanesArgs a) {
    const std::int64_t i = std::int64_t{block_id().x} * kThreads + thread_id();
    const std::int32_t n_groups = (a.n_cols + kGroupColumns - 1) / kGroupColumns;
    if (i >= std::int64_t{a.n_rows} * n_groups) return;
    const auto row = static_cast<std::int32_t>(i / n_groups);
    const auto index = static_cast<std::int32_t>(i % n_groups);
    Group<t> group{};
    read_group(a, row, index, group);
    store_group(a.to, (a.first_row + row) * a.to.row_chunks + index / kChunkGroups, index % kChunkGroups,
                group);
}

}  // namespace

void launch_split_planes(Stream& stream, const SplitPlanesArgs& args) {
    const std::int64_t n_groups = (args.n_cols + kGroupColumns - 1) / kGroupColumns;
    LaunchShape shape;
    shape.x = static_cast<int>((args.n_rows * n_groups + kThreads - 1) / kThreads);
    shape.n_threads = kThreads;
    if (shape.x == 0) return;
    with_format(args.to.dtype, [&]<DType t>() { stream.launch(split_planes<t>, shape, args); });
}

}  // namespace neox::cuda
