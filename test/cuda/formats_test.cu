// Formats through the GPU's path: rows of a file are split into planes by the kernel and unpacked again by another.
#include "cuda/formats.cuh"

#include <bit>
#include <cmath>
#include <vector>

#include "check.h"
#include "cuda/runtime.h"
#include "cuda/split_planes.h"
#include "quant/quant.h"
#include "random_blocks.h"

namespace {

using namespace neox;
using namespace neox::cuda;

constexpr DType kFormats[] = {DType::F32,  DType::F16,  DType::BF16,   DType::Q8_0, DType::Q4_0,
                              DType::Q4_1, DType::Q5_0, DType::Q5_1,   DType::Q2_K, DType::Q3_K,
                              DType::Q4_K, DType::Q5_K, DType::IQ4_NL, DType::Q6_K};

struct UnpackArgs {
    MatrixView m;
    float* numbers;         // [n_rows][n_cols]
    std::uint32_t* halves;  // [n_rows][n_cols / 2]
    float* products;        // [n_rows][n_cols]: scale q - min
};

// A block per row, a thread per group.
template <DType t> NEOX_KERNEL void unpack_all(UnpackArgs a) {
    const int row = block_id().x;
    for (int index = thread_id(); index < a.m.n_cols / 32; index += block_size()) {
        const Group<t> group = load_group<t>(a.m, row, index);
        const std::int64_t at = static_cast<std::int64_t>(row) * a.m.n_cols + index * 32;
        float w[32];
        unpack(group, w);
        std::uint32_t h[16];
        unpack_half2(group, h);
        for (int i = 0; i < 32; ++i) a.numbers[at + i] = w[i];
        for (int i = 0; i < 16; ++i) a.halves[at / 2 + i] = h[i];
        if constexpr (kHasCodes<t>) {
            std::uint32_t q[16];
            unpack_codes(group, q);
            const Scales s = scales_of(group);
            for (int j = 0; j < 16; ++j) {
                a.products[at + 2 * j] = s.scale[j / 8] * first_f16(q[j]) - s.min[j / 8];
                a.products[at + 2 * j + 1] = s.scale[j / 8] * second_f16(q[j]) - s.min[j / 8];
            }
        }
    }
}

struct Unpacked {
    std::vector<float> numbers, products;
    std::vector<std::uint32_t> halves;
};

// Rows [n_rows, n_cols] uploaded in two slices, whose border is at row 16, and all padded rows unpacked.
Unpacked through_planes(DType dtype, const std::vector<std::byte>& rows, int n_rows, int n_cols) {
    const int n_padded = (n_rows + 15) / 16 * 16;
    DeviceBuffer<std::byte> planes(matrix_layout(dtype, n_rows, n_cols).n_bytes);
    DeviceBuffer<std::byte> raw(rows.size());
    const MatrixView m = matrix_view(dtype, n_rows, n_cols, planes.data());
    const std::size_t n = static_cast<std::size_t>(n_padded) * static_cast<std::size_t>(m.n_cols);
    DeviceBuffer<float> numbers(n), products(n);
    DeviceBuffer<std::uint32_t> halves(n / 2);
    Stream stream;
    stream.fill_zero(planes.data(), planes.size());
    stream.fill_zero(products.data(), products.bytes());
    stream.copy_to_device(raw.data(), rows.data(), rows.size());
    const auto stride = static_cast<std::int64_t>(rows.size()) / n_rows;
    const int first = n_rows < 16 ? n_rows : 16;
    launch_split_planes(stream, {raw.data(), first, 0, n_cols, m});
    if (n_rows > 16) launch_split_planes(stream, {raw.data() + 16 * stride, n_rows - 16, 16, n_cols, m});
    const UnpackArgs args{m, numbers.data(), halves.data(), products.data()};
    const LaunchShape shape{.x = n_padded, .n_threads = 64};
    with_format(dtype, [&]<DType t>() { stream.launch(unpack_all<t>, shape, args); });
    Unpacked all{std::vector<float>(n), std::vector<float>(n), std::vector<std::uint32_t>(n / 2)};
    stream.copy_to_host(all.numbers.data(), numbers.data(), numbers.bytes());
    stream.copy_to_host(all.products.data(), products.data(), products.bytes());
    stream.copy_to_host(all.halves.data(), halves.data(), halves.bytes());
    stream.synchronize();
    return all;
}

float half_at(const std::vector<std::uint32_t>& halves, std::size_t i) {
    return f16_to_f32(static_cast<std::uint16_t>(halves[i / 2] >> 16 * (i % 2)));
}

// Every number of the rows and zeros beside them. `minima`: what unpack_half2 may round beside the number itself.
void check_numbers(DType dtype, const std::vector<std::byte>& rows, int n_rows, int n_cols,
                   const std::vector<float>& minima) {
    const Unpacked got = through_planes(dtype, rows, n_rows, n_cols);
    const auto padded = static_cast<std::size_t>((n_cols + 31) / 32 * 32);
    std::vector<float> expected(static_cast<std::size_t>(n_cols));
    const std::size_t stride = rows.size() / static_cast<std::size_t>(n_rows);
    for (std::size_t row = 0; row < got.numbers.size() / padded; ++row) {
        const bool is_there = row < static_cast<std::size_t>(n_rows);
        if (is_there) dequantize_row(dtype, rows.data() + row * stride, n_cols, expected.data());
        for (std::size_t c = 0; c < padded; ++c) {
            const std::size_t at = row * padded + c;
            if (!is_there || c >= expected.size()) {
                CHECK_EQ(got.numbers[at], 0.0f);
                CHECK_EQ(half_at(got.halves, at), 0.0f);
                continue;
            }
            const float w = expected[c];
            if (std::bit_cast<std::uint32_t>(got.numbers[at]) != std::bit_cast<std::uint32_t>(w))
                neox_check::failed(__FILE__, __LINE__, dtype_info(dtype).name, " row ", row, " column ", c,
                                   " is ", got.numbers[at], ", expected ", w);
            if (plane_bytes(dtype).scales > 0) CHECK_EQ(got.products[at], w);
            const float h = half_at(got.halves, at);
            if (plane_bytes(dtype).supers == 0 && minima[at % minima.size()] == 0.0f) {
                CHECK_EQ(h, f16_to_f32(f32_to_f16(w)));
            } else {
                const float size = std::fabs(w) + std::fabs(minima[row * expected.size() + c]);
                CHECK_NEAR(h, w, 0x1p-10f * size + 0x1p-24f);
            }
        }
    }
}

void check_format(DType dtype, int n_rows, int n_cols, float size) {
    const auto rows = random_blocks::rows(dtype, n_rows, n_cols, size, static_cast<std::uint64_t>(n_cols));
    check_numbers(dtype, rows, n_rows, n_cols, random_blocks::minima(dtype, rows, n_rows, n_cols));
}

}  // namespace

TEST(planes_give_the_numbers_of_the_files_blocks) {
    for (const DType dtype : kFormats) check_format(dtype, 19, 768, 0.02f);
}

TEST(planes_of_rows_that_end_within_a_chunk) {
    for (const DType dtype : kFormats)
        if (dtype_info(dtype).block_length <= 32) check_format(dtype, 3, 352, 1.0f);
}

TEST(planes_of_rows_that_end_within_a_group) {
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16}) check_format(dtype, 17, 271, 1.0f);
}

// Each code in each place of a group of 256 columns, with every scale of the K types at its largest.
TEST(planes_keep_every_code_in_every_column) {
    for (const DType dtype : kFormats) {
        if (!is_quantized(dtype)) continue;
        const int n_cols = 256;
        auto rows = random_blocks::rows(dtype, 1, n_cols, 1.0f, 5);
        const random_blocks::Block* block = random_blocks::find(dtype);
        const auto block_bytes = static_cast<std::size_t>(dtype_info(dtype).block_bytes);
        for (int byte = 0; byte < 256; ++byte) {
            for (std::size_t at = 0; at < rows.size(); at += block_bytes) {
                for (std::size_t i = 0; i < block_bytes; ++i) rows[at + i] = static_cast<std::byte>(byte);
                random_blocks::put_f16(rows.data() + at + block->d, 0.25f);
                if (block->min >= 0) random_blocks::put_f16(rows.data() + at + block->min, 0.5f);
            }
            check_numbers(dtype, rows, 1, n_cols, random_blocks::minima(dtype, rows, 1, n_cols));
        }
    }
}

TEST(planes_keep_numbers_that_no_weight_has) {
    const float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> values(32, 0.0f);
    values[0] = infinity, values[1] = -infinity, values[2] = -0.0f, values[3] = 0x1p-140f, values[4] = 1e30f;
    for (const DType dtype : {DType::F32, DType::BF16}) {
        std::vector<std::byte> row(row_bytes(dtype, 32));
        quantize_row(dtype, values.data(), 32, row.data());
        const Unpacked got = through_planes(dtype, row, 1, 32);
        std::vector<float> expected(32);
        dequantize_row(dtype, row.data(), 32, expected.data());
        for (std::size_t i = 0; i < 32; ++i) {
            CHECK_EQ(std::bit_cast<std::uint32_t>(got.numbers[i]), std::bit_cast<std::uint32_t>(expected[i]));
            CHECK_EQ(half_at(got.halves, i), f16_to_f32(f32_to_f16(expected[i])));
        }
    }
}
