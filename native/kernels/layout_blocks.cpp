#include "kernels/layout_blocks.h"

#include <cstring>

#include "base/half.h"
#include "quant/blocks.h"

namespace neox {
namespace {

template <class T> T load(const std::byte* p) {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
}

int read_code(const BlockLayout& layout, const std::byte* codes, int step, int lane, int column) {
    const Planes planes = planes_of(layout.bits);
    int code = 0;
    for (int i = 0; i < planes.n; ++i) {
        const Plane& plane = planes.planes[i];
        const Place place = place_of(plane, column / 4);
        const int vector = place_vector(layout.bits, plane, place.vector);
        const int byte = std::to_integer<int>(codes[step * vector + 4 * lane + column % 4]);
        code |= (byte >> place.shift & ((1 << plane.bits) - 1)) << plane.from;
    }
    return code;
}

}  // namespace

const BlockLayout* find_block_layout(DType dtype) {
    for (const BlockLayout& layout : kBlockLayouts)
        if (layout.dtype == dtype) return &layout;
    return nullptr;
}

float read_resident_value(const BlockLayout& layout, const std::byte* tile, int width, int side, int lane,
                          std::int64_t column) {
    const BlockPlace place = place_block(layout, width, side, column / 32);
    const std::byte* head = tile + place.head;
    const int within = static_cast<int>(column % 32);
    const int code = read_code(layout, tile + place.codes, 64 * width, lane, within);
    const float d = f16_to_f32(load<std::uint16_t>(head + 2 * lane));
    const float q =
        static_cast<float>(layout.dtype == DType::IQ4_NL ? kIq4Values[code] : code - layout.offset);
    if (layout.scales == BlockLayout::Scales::f16) return d * q;
    const auto minimum = [&] { return f16_to_f32(load<std::uint16_t>(head + 32 + 2 * lane)); };
    if (layout.scales == BlockLayout::Scales::f16_min) return d * q + minimum();
    const auto own = [&](int i) {
        return std::to_integer<int>(tile[place.scales + static_cast<std::size_t>(16 * i + lane)]);
    };
    const int half = within / 16;
    using Scales = BlockLayout::Scales;
    switch (layout.scales) {
        case Scales::int_min:
            return d * static_cast<float>(own(0)) * q - minimum() * static_cast<float>(own(1));
        case Scales::half_int: return d * static_cast<float>(static_cast<std::int8_t>(own(half))) * q;
        default:
            return d * static_cast<float>(own(half) & 15) * q -
                   minimum() * static_cast<float>(own(half) >> 4);
    }
}

}  // namespace neox
