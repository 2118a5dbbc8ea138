// What the searches for scales share: one lane is one sub-block, so that nothing is summed across lanes but
// the totals of a super-block. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// Sixteen sub-blocks of kLength elements, element k of all of them in x[k]. w is how much its error counts,
// at most 1 within a lane; share is how much a lane counts within its block, at most 1.
template <int kLength> struct Lanes {
    F32x16 x[kLength];
    F32x16 w[kLength];
    F32x16 share;
};

// Adding it rounds to an integer, ties to even; larger numbers stay above all codes, smaller ones below.
inline constexpr float kRound = 0x1.8p23f;

// The nearest integer first, so that it stays where others are as good.
inline constexpr float kAround[] = {0.0f, -1.0f, 1.0f};

NEOX_INLINE F32x16 zeros() { return broadcast(0.0f); }
NEOX_INLINE F32x16 clamp(F32x16 x, F32x16 lowest, F32x16 highest) { return min(highest, max(lowest, x)); }
NEOX_INLINE F32x16 round_within(F32x16 x, float lowest, float highest) {
    const F32x16 t = add(x, broadcast(kRound));
    return sub(clamp(t, broadcast(kRound + lowest), broadcast(kRound + highest)), broadcast(kRound));
}
// 1 / x, or 0 where x is (nearly) 0.
NEOX_INLINE F32x16 reciprocal(F32x16 x) {
    const F32x16 tiny = broadcast(0x1p-100f);
    const F32x16 safe = select_less(abs(x), tiny, broadcast(1.0f), x);
    return select_less(abs(x), tiny, zeros(), div(broadcast(1.0f), safe));
}
// What f16 makes of x, infinity excluded.
NEOX_INLINE F32x16 round_f16(F32x16 x) {
    std::uint16_t halves[16];
    store_f16(halves, clamp(x, broadcast(-65504.0f), broadcast(65504.0f)));
    return load_f16(halves);
}

// Starting points first, first + step, ...: n of them.
struct Steps {
    float first, step;
    int n;
    NEOX_INLINE float operator[](int i) const { return first + step * static_cast<float>(i); }
};

// Each lane gets the sum (the largest) over the kLanes lanes of its block, taken in order.
template <int kLanes> NEOX_INLINE F32x16 block_sum(F32x16 a) {
    float lanes[16];
    store(lanes, a);
    for (int block = 0; block < 16; block += kLanes) {
        float sum = lanes[block];
        for (int i = 1; i < kLanes; ++i) sum += lanes[block + i];
        for (int i = 0; i < kLanes; ++i) lanes[block + i] = sum;
    }
    return load(lanes);
}
template <int kLanes> NEOX_INLINE F32x16 block_max(F32x16 a) {
    float lanes[16];
    store(lanes, a);
    for (int block = 0; block < 16; block += kLanes) {
        float largest = lanes[block];
        for (int i = 1; i < kLanes; ++i) largest = lanes[block + i] > largest ? lanes[block + i] : largest;
        for (int i = 0; i < kLanes; ++i) lanes[block + i] = largest;
    }
    return load(lanes);
}

// element[k] of lane l is p[l][k]; lanes from n_lanes on are zero. |x| below 2^-40 counts as 0: no f16 scale
// can tell it from 0, and the searches need room for its powers.
template <int kLength> NEOX_INLINE void transpose(const float* const* p, int n_lanes, F32x16* element) {
    float lanes[kLength][16] = {};
    for (int lane = 0; lane < n_lanes; ++lane)
        for (int k = 0; k < kLength; ++k) lanes[k][lane] = p[lane][k];
    for (int k = 0; k < kLength; ++k) element[k] = load(lanes[k]);
}

// What an error counts without an importance matrix; rms is that of the lane.
enum class Weighting { uniform, magnitude, rms_plus_magnitude };
// The variance that softens x^2 under an importance matrix.
enum class Variance { none, of_row, of_block, twice_of_block };

template <int kLength, int kLanes, Weighting kWeighting, Variance kVariance>
NEOX_INLINE void load_lanes(const CodeSearch& search, Lanes<kLength>& lanes) {
    const float* x[16];
    const float* importance[16];
    float row_variance[16] = {};
    const int n_lanes = search.n_blocks * kLanes;
    for (int lane = 0; lane < n_lanes; ++lane) {
        const int block = lane / kLanes, first = lane % kLanes * kLength;
        x[lane] = search.x[block] + first;
        if (search.importance) importance[lane] = search.importance[block] + first;
        row_variance[lane] = search.mean_square[block];
    }
    transpose<kLength>(x, n_lanes, lanes.x);
    const F32x16 tiny = broadcast(0x1p-40f);
    F32x16 squares = zeros();
    for (F32x16& v : lanes.x) {
        v = select_less(abs(v), tiny, zeros(), v);
        squares = fma(v, v, squares);
    }
    if (search.importance) {
        transpose<kLength>(importance, n_lanes, lanes.w);
        const F32x16 of_block =
            mul(block_sum<kLanes>(squares), broadcast(1.0f / static_cast<float>(kLength * kLanes)));
        const F32x16 variance = kVariance == Variance::of_row     ? load(row_variance)
                                : kVariance == Variance::of_block ? of_block
                                                                  : add(of_block, of_block);
        if (kVariance != Variance::none)
            for (int k = 0; k < kLength; ++k)
                lanes.w[k] = mul(lanes.w[k], sqrt(fma(lanes.x[k], lanes.x[k], variance)));
    } else {
        const F32x16 rms = sqrt(mul(squares, broadcast(1.0f / static_cast<float>(kLength))));
        for (int k = 0; k < kLength; ++k) {
            const F32x16 v = lanes.x[k];
            lanes.w[k] = kWeighting == Weighting::uniform     ? broadcast(1.0f)
                         : kWeighting == Weighting::magnitude ? abs(v)
                                                              : add(rms, abs(v));
        }
    }
    // Only ratios of weights matter. Where all are 0, all count alike.
    F32x16 largest = zeros();
    for (const F32x16& w : lanes.w) largest = max(w, largest);
    const F32x16 of_block = block_max<kLanes>(largest);
    const F32x16 least = broadcast(0x1p-100f), one = broadcast(1.0f);
    lanes.share = select_less(least, of_block, mul(largest, reciprocal(of_block)), one);
    const F32x16 factor = select_less(least, largest, reciprocal(largest), zeros());
    for (F32x16& w : lanes.w) w = max(mul(w, factor), broadcast(0x1p-30f));
}

// Stores the codes of all lanes; kBase is added to make them non-negative.
template <int kLength, int kLanes>
NEOX_INLINE void store_codes(const F32x16* q, int base, const CodeSearch& search) {
    float lanes[kLength][16];
    for (int k = 0; k < kLength; ++k) store(lanes[k], add(q[k], broadcast(static_cast<float>(base))));
    for (int block = 0; block < search.n_blocks; ++block)
        for (int i = 0; i < kLanes * kLength; ++i)
            search.codes[block].q[i] =
                static_cast<std::uint8_t>(lanes[i % kLength][block * kLanes + i / kLength]);
}
// Lane `block * kLanes` of an f16 number per block.
template <int kLanes> NEOX_INLINE std::uint16_t f16_of_block(F32x16 a, int block) {
    std::uint16_t halves[16];
    store_f16(halves, a);
    return halves[block * kLanes];
}

}  // namespace neox::NEOX_ISA
