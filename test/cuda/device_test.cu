// The words of cuda/device.cuh, each against its definition: on a GPU they test the assembler, on the CPU the emulation.
#include "cuda/device.cuh"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/half.h"
#include "check.h"
#include "cuda/runtime.h"

using namespace neox;
using namespace neox::cuda;

namespace {

struct WordsArgs {
    const std::uint32_t* in;
    std::uint32_t* out;
};

// Runs one block over `in` and gives its `n_out` words.
std::vector<std::uint32_t> run(void (*kernel)(WordsArgs), int n_threads, std::size_t shared_bytes,
                               const std::vector<std::uint32_t>& in, std::size_t n_out) {
    Stream stream;
    const DeviceBuffer<std::uint32_t> device_in(in.size()), device_out(n_out);
    PinnedBuffer<std::uint32_t> out(n_out);
    stream.copy_to_device(device_in.data(), in.data(), device_in.bytes());
    stream.launch(kernel, {.n_threads = n_threads, .shared_bytes = shared_bytes},
                  WordsArgs{device_in.data(), device_out.data()});
    stream.copy_to_host(out.data(), device_out.data(), device_out.bytes());
    stream.synchronize();
    return {out.data(), out.data() + n_out};
}

float value(std::uint32_t word) { return std::bit_cast<float>(word); }

std::vector<std::uint32_t> random_words(std::size_t n, std::uint32_t seed) {
    std::vector<std::uint32_t> words(n);
    for (std::uint32_t& word : words) word = seed = seed * 1664525u + 1013904223u;
    return words;
}

// Pairs of f16 of magnitude 2^-8 to 2^8.
std::vector<std::uint32_t> random_halves(std::size_t n, std::uint32_t seed) {
    std::vector<std::uint32_t> words = random_words(n, seed);
    for (std::uint32_t& word : words)
        word = (word & 0x83ff83ffu) | (7u + (word >> 10 & 15u)) << 10 | (7u + (word >> 26 & 15u)) << 26;
    return words;
}
float half_at(const std::vector<std::uint32_t>& pairs, std::size_t i) {
    return f16_to_f32(static_cast<std::uint16_t>(pairs[i / 2] >> 16 * (i % 2)));
}

NEOX_KERNEL void warp_kernel(WordsArgs args) {
    const std::uint32_t word = args.in[thread_id()];
    std::uint32_t* out = args.out + 6 * thread_id();
    out[0] = shuffle_xor(word, 5);
    out[1] = shuffle(word, (lane() + 3) % 32);
    out[2] = warp_ballot((word & 1u) != 0);
    const float number = static_cast<float>(word >> 24);
    out[3] = static_cast<std::uint32_t>(warp_sum(number));
    out[4] = static_cast<std::uint32_t>(warp_max(number));
    out[5] = static_cast<std::uint32_t>(warp());
}

TEST(cuda_warp_functions) {
    const std::vector<std::uint32_t> in = random_words(96, 1);
    const std::vector<std::uint32_t> out = run(warp_kernel, 96, 0, in, 6 * 96);
    for (std::size_t i = 0; i < 96; ++i) {
        const std::size_t first = i / 32 * 32;
        std::uint32_t odd = 0, sum = 0, most = 0;
        for (std::size_t l = 0; l < 32; ++l) {
            odd |= (in[first + l] & 1u) << l;
            sum += in[first + l] >> 24;
            most = std::max(most, in[first + l] >> 24);
        }
        CHECK_EQ(out[6 * i], in[first + ((i % 32) ^ 5)]);
        CHECK_EQ(out[6 * i + 1], in[first + (i + 3) % 32]);
        CHECK_EQ(out[6 * i + 2], odd);
        CHECK_EQ(out[6 * i + 3], sum);
        CHECK_EQ(out[6 * i + 4], most);
        CHECK_EQ(out[6 * i + 5], i / 32);
    }
}

// Each thread gives its number to the one that mirrors it in the block.
NEOX_KERNEL void mirror_kernel(WordsArgs args) {
    auto* numbers = shared_as<std::uint32_t>(64);
    numbers[thread_id()] = args.in[thread_id()];
    sync_block();
    args.out[thread_id()] = numbers[block_size() - 1 - thread_id()];
}

TEST(cuda_barrier_and_shared_memory) {
    const std::vector<std::uint32_t> in = random_words(256, 2);
    const std::vector<std::uint32_t> out = run(mirror_kernel, 256, 64 + 1024, in, 256);
    for (std::size_t i = 0; i < 256; ++i) CHECK_EQ(out[i], in[255 - i]);
}

NEOX_KERNEL void bits_kernel(WordsArgs args) {
    const std::uint32_t word = args.in[thread_id()];
    args.out[2 * thread_id()] = static_cast<std::uint32_t>(count_bits(word));
    args.out[2 * thread_id() + 1] = static_cast<std::uint32_t>(lowest_bit(word));
}

TEST(cuda_counts_bits) {
    std::vector<std::uint32_t> in = random_words(32, 3);
    for (std::size_t i = 0; i < 32; ++i) in[i] = (in[i] | 1u) << i;
    const std::vector<std::uint32_t> out = run(bits_kernel, 32, 0, in, 64);
    for (std::size_t i = 0; i < 32; ++i) {
        CHECK_EQ(out[2 * i], static_cast<std::uint32_t>(std::popcount(in[i])));
        CHECK_EQ(out[2 * i + 1], i);
    }
}

NEOX_KERNEL void half_kernel(WordsArgs args) {
    const std::uint32_t* in = args.in + 3 * thread_id();
    const std::uint32_t a = in[0], b = in[1], c = in[2];
    std::uint32_t* out = args.out + 8 * thread_id();
    out[0] = add_f16(a, b);
    out[1] = sub_f16(a, b);
    out[2] = mul_f16(a, b);
    out[3] = fma_f16(a, b, c);
    out[4] = pack_f16(first_f16(a) * 1.0001f, second_f16(a) * 0.9999f);
    out[5] = select_bits<0xea>(a, b, c);
    out[6] = permute_bytes(a, b, c & 0x7777u);
    out[7] = float_to_f16(bf16_to_float(static_cast<std::uint16_t>(a >> 16)));
}

TEST(cuda_halves_and_bits) {
    const std::vector<std::uint32_t> in = random_halves(3 * 64, 3);
    const std::vector<std::uint32_t> out = run(half_kernel, 64, 0, in, 8 * 64);
    for (std::size_t i = 0; i < 64; ++i) {
        const std::uint32_t a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2];
        for (std::size_t side = 0; side < 2; ++side) {
            const double x = half_at(in, 6 * i + side), y = half_at(in, 6 * i + 2 + side),
                         z = half_at(in, 6 * i + 4 + side);
            // Half of the last place of what is exact, whatever its size.
            const auto is_near = [&](std::size_t word, double exact) {
                CHECK_NEAR(half_at(out, 2 * (8 * i + word) + side), exact,
                           std::max(std::fabs(exact) * 0x1p-11, 0x1p-25));
            };
            is_near(0, x + y);
            is_near(1, x - y);
            is_near(2, x * y);
            is_near(3, x * y + z);
            const float factor = side == 0 ? 1.0001f : 0.9999f;
            is_near(4, static_cast<float>(x) * factor);
        }
        CHECK_EQ(out[8 * i + 5], (a & b) | c);
        for (unsigned byte = 0; byte < 4; ++byte) {
            const unsigned from = c >> 4 * byte & 7u;
            const std::uint32_t expected = (from < 4 ? a >> 8 * from : b >> 8 * (from - 4)) & 255u;
            CHECK_EQ(out[8 * i + 6] >> 8 * byte & 255u, expected);
        }
        CHECK_EQ(out[8 * i + 7], f32_to_f16(bf16_to_f32(static_cast<std::uint16_t>(a >> 16))));
    }
}

// Two groups of copies of 16 bytes, the second one zeros for odd threads.
NEOX_KERNEL void copy_kernel(WordsArgs args) {
    std::byte* shared = shared_memory();
    const int i = thread_id();
    cp_async_16(shared + 16 * i, args.in + 4 * i);
    cp_async_commit();
    cp_async_16_or_zero(shared + 16 * (32 + i), args.in + 4 * (32 + i), i % 2 == 0);
    cp_async_commit();
    cp_async_wait<1>();
    sync_block();
    store_16(args.out + 16 * i, load_16_shared(shared + 16 * (31 - i)));
    cp_async_wait<0>();
    sync_block();
    store_16(args.out + 16 * i + 4, load_16_shared(shared + 16 * (63 - i)));
    store_16(args.out + 16 * i + 8, load_16(args.in + 4 * i));
    store_16(args.out + 16 * i + 12, load_16_cached(args.in + 4 * i));
}

TEST(cuda_copies_of_16_bytes) {
    const std::vector<std::uint32_t> in = random_words(256, 4);
    const std::vector<std::uint32_t> out = run(copy_kernel, 32, 1024, in, 16 * 32);
    for (std::size_t i = 0; i < 32; ++i)
        for (std::size_t word = 0; word < 4; ++word) {
            CHECK_EQ(out[16 * i + word], in[4 * (31 - i) + word]);
            CHECK_EQ(out[16 * i + 4 + word], (31 - i) % 2 == 0 ? in[4 * (63 - i) + word] : 0u);
            CHECK_EQ(out[16 * i + 8 + word], in[4 * i + word]);
            CHECK_EQ(out[16 * i + 12 + word], in[4 * i + word]);
        }
}

NEOX_KERNEL void small_load_kernel(WordsArgs args) {
    const int i = thread_id();
    std::uint32_t* out = args.out + 8 * i;
    const Words2 pair = load_8(args.in + 2 * i);
    out[0] = pair.x[0];
    out[1] = pair.x[1];
    out[2] = load_4(args.in + i);
    out[3] = load_2(reinterpret_cast<const std::uint16_t*>(args.in) + i);
    out[4] = rotate_right(args.in[i], i);
    out[5] = bits_of_float(float_of_bits(args.in[i] >> 1 & 0x7f7fffffu) * 2.0f);
    const PowerOfTwo power = power_of_two(1 + 8 * i);
    store_8(out + 6, {{bits_of_float(power.value), bits_of_float(power.inverse)}});
}

TEST(cuda_small_loads_and_rotations) {
    const std::vector<std::uint32_t> in = random_words(64, 5);
    const std::vector<std::uint32_t> out = run(small_load_kernel, 32, 0, in, 8 * 32);
    for (std::size_t i = 0; i < 32; ++i) {
        CHECK_EQ(out[8 * i], in[2 * i]);
        CHECK_EQ(out[8 * i + 1], in[2 * i + 1]);
        CHECK_EQ(out[8 * i + 2], in[i]);
        CHECK_EQ(out[8 * i + 3], in[i / 2] >> 16 * (i % 2) & 0xffffu);
        CHECK_EQ(out[8 * i + 4], std::rotr(in[i], static_cast<int>(i)));
        CHECK_EQ(out[8 * i + 5],
                 std::bit_cast<std::uint32_t>(std::bit_cast<float>(in[i] >> 1 & 0x7f7fffffu) * 2.0f));
        const int exponent = 8 * static_cast<int>(i) - 126;
        CHECK_EQ(value(out[8 * i + 6]), std::ldexp(1.0f, exponent));
        CHECK_EQ(value(out[8 * i + 7]), std::ldexp(1.0f, -exponent));
    }
}

// c [16, 8] = a [16, 16] b [16, 8] from row-major shared memory; then the fragments themselves.
NEOX_KERNEL void product_kernel(WordsArgs args) {
    auto* halves = shared_as<std::uint32_t>();
    for (int i = lane(); i < 192; i += 32) halves[i] = args.in[i];
    sync_block();
    const std::byte* a_row = shared_memory() + 32 * (lane() % 16) + 16 * (lane() / 16);
    const std::byte* b_row = shared_memory() + 512 + 16 * (lane() % 16);
    std::uint32_t a[4], a_trans[4], b[2], b_trans[2];
    ldmatrix_x4(a, a_row);
    ldmatrix_x4_trans(a_trans, a_row);
    ldmatrix_x2(b, b_row);
    ldmatrix_x2_trans(b_trans, b_row);
    float c[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    mma_f16(c, a, b_trans);
    for (int i = 0; i < 4; ++i)
        args.out[8 * (lane() / 4 + 8 * (i / 2)) + 2 * (lane() % 4) + i % 2] =
            __builtin_bit_cast(std::uint32_t, c[i]);
    std::uint32_t* out = args.out + 128 + 10 * lane();
    for (int i = 0; i < 4; ++i) {
        out[i] = a[i];
        out[4 + i] = a_trans[i];
    }
    for (int i = 0; i < 2; ++i) out[8 + i] = b[i];
}

TEST(cuda_matrix_fragments) {
    const std::vector<std::uint32_t> in = random_halves(192, 5);
    const auto a = [&](std::size_t row, std::size_t k) { return half_at(in, 16 * row + k); };
    const auto b = [&](std::size_t k, std::size_t column) { return half_at(in, 256 + 8 * k + column); };
    const std::vector<std::uint32_t> out = run(product_kernel, 32, 768, in, 128 + 320);
    for (std::size_t row = 0; row < 16; ++row)
        for (std::size_t column = 0; column < 8; ++column) {
            double sum = static_cast<double>(2 * (row / 8) + column % 2) + 1.0, size = sum;
            for (std::size_t k = 0; k < 16; ++k) {
                const double product = static_cast<double>(a(row, k)) * static_cast<double>(b(k, column));
                sum += product;
                size += std::fabs(product);
            }
            CHECK_NEAR(value(out[8 * row + column]), sum, size * 0x1p-19);
        }
    for (std::size_t l = 0; l < 32; ++l)
        for (std::size_t side = 0; side < 2; ++side) {
            const std::size_t major = l / 4, minor = 2 * (l % 4) + side, first = 2 * (128 + 10 * l) + side;
            for (std::size_t m = 0; m < 4; ++m) {
                const std::size_t row = 8 * (m % 2), column = 8 * (m / 2);
                CHECK_EQ(half_at(out, first + 2 * m), a(row + major, column + minor));
                CHECK_EQ(half_at(out, first + 8 + 2 * m), a(row + minor, column + major));
            }
            for (std::size_t m = 0; m < 2; ++m)
                CHECK_EQ(half_at(out, first + 16 + 2 * m), b(8 * m + major, minor));
        }
}

NEOX_KERNEL void math_kernel(WordsArgs args) {
    const float x = __builtin_bit_cast(float, args.in[thread_id()]);
    const double wide = static_cast<double>(x);
    const float results[10] = {exp2f_(x),
                               expf_(x),
                               logf_(x * x),
                               erff_(x),
                               tanhf_(x),
                               sqrtf_(x * x + 1.0f),
                               rsqrtf_(x * x + 1.0f),
                               fmaf_(x, x, -x),
                               static_cast<float>(exp_(wide)),
                               static_cast<float>(log_(1.0 + wide * wide))};
    for (int i = 0; i < 10; ++i)
        args.out[10 * thread_id() + i] = __builtin_bit_cast(std::uint32_t, results[i]);
}

TEST(cuda_mathematics) {
    std::vector<std::uint32_t> in;
    for (int i = -32; i < 32; ++i)
        in.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(i) * 0.17f + 0.01f));
    const std::vector<std::uint32_t> out = run(math_kernel, 64, 0, in, 640);
    for (std::size_t i = 0; i < 64; ++i) {
        const float f = value(in[i]), square = f * f;
        const double x = f, s = square;
        const double expected[10] = {std::exp2(x),
                                     std::exp(x),
                                     std::log(s),
                                     std::erf(x),
                                     std::tanh(x),
                                     std::sqrt(s + 1.0),
                                     1.0 / std::sqrt(s + 1.0),
                                     x * x - x,
                                     std::exp(x),
                                     std::log(1.0 + x * x)};
        for (std::size_t k = 0; k < 10; ++k)
            CHECK_NEAR(value(out[10 * i + k]), expected[k], 4e-7 * std::max(std::fabs(expected[k]), 0.05));
    }
}

}  // namespace
