// Rows that are rounded where they arise, for the next product of a prompt: the same bytes as by way of f32 in memory.
#include <cstring>
#include <vector>

#include "kernels_rig.h"

using namespace kernels_rig;

namespace {

// Some finish() at once, a part of a tile, and one token more than a tile.
constexpr int kTokens[] = {53, 26, 5};
constexpr std::int64_t kColumns = 512, kRows = 1280;  // two panels and more for each of three threads

std::vector<std::byte> tiles_of(const Kernels& kernels, DType dtype, const Activations& a) {
    const PromptKernels prompt = kernels.prompt(dtype, Arithmetic::q8);
    const int n_tiles = (a.n_tokens + prompt.tile_tokens - 1) / prompt.tile_tokens;
    return {a.tiles, a.tiles + static_cast<std::size_t>(n_tiles * (a.n_cols / 32)) * prompt.tile_block_bytes};
}

}  // namespace

TEST(kernels_rounded_results_of_a_product) {
    int n_compared = 0;
    for (const auto& [from, to] :
         {std::pair{DType::Q4_0, DType::Q4_0}, {DType::Q4_K, DType::Q6_K}, {DType::Q2_K, DType::Q5_1}}) {
        const Matrix w = make_matrix(from, kRows, kColumns, 3), next = make_matrix(to, 16, kRows, 4);
        const std::vector<float> bias = random_rows(1, kRows, 5), x = random_rows(kTokens[0], kColumns, 6);
        for (const Kernels* kernels : supported_kernels()) {
            if (!can_chain(*kernels, w.view, next.view)) continue;
            for (const int n_tokens : kTokens)
                for (const int n_threads : {1, 3}) {
                    ThreadPool pool(n_threads);
                    ActivationBuffer in, plain, chained;
                    const Activations view =
                        in.prepare(pool, *kernels, from, Arithmetic::q8, x.data(), n_tokens, kColumns);
                    Epilogue epilogue{.bias = bias.data(), .activation = Activation::gelu_erf};
                    std::vector<float> y(static_cast<std::size_t>(n_tokens * kRows));
                    matmul(pool, *kernels, w.view, view, y.data(), kRows, epilogue);
                    const Activations wanted =
                        plain.prepare(pool, *kernels, to, Arithmetic::q8, y.data(), n_tokens, kRows);
                    RoundedResults rounded{};
                    const Activations got = chained.reserve(pool, *kernels, to, n_tokens, kRows, rounded);
                    epilogue.rounded = &rounded;
                    matmul(pool, *kernels, w.view, view, nullptr, 0, epilogue);
                    CHECK(tiles_of(*kernels, to, got) == tiles_of(*kernels, to, wanted));
                    ++n_compared;
                }
        }
    }
    bool has_pairs = false;
    for (const Kernels* kernels : supported_kernels())
        has_pairs |= kernels->prompt(DType::Q4_0, Arithmetic::q8).tile_panels == kPairPanels;
    CHECK_EQ(n_compared > 0, has_pairs);
}

// Rows are rounded once their sums are whole: after all columns, which are unpacked at once, and by the right type.
TEST(kernels_rounded_results_are_whole_sums) {
    const Matrix next = make_matrix(DType::Q4_0, 16, 64, 1);
    const Matrix plain = make_matrix(DType::F16, 64, 64, 2), narrow = make_matrix(DType::Q4_0, 32, 64, 3);
    const Matrix most = make_matrix(DType::Q4_0, 64, 48 * 256, 4),
                 longer = make_matrix(DType::Q4_0, 64, 48 * 256 + 32, 5);
    for (const Kernels* kernels : supported_kernels()) {
        CHECK(!can_chain(*kernels, plain.view, next.view));
        CHECK(!can_chain(*kernels, narrow.view, next.view));
        const bool has_pairs = kernels->prompt(DType::Q4_0, Arithmetic::q8).tile_panels == kPairPanels;
        CHECK_EQ(can_chain(*kernels, most.view, next.view), has_pairs);
        CHECK(!can_chain(*kernels, longer.view, next.view));
    }
}

TEST(kernels_rounded_rows_are_normalized_on_the_way) {
    const std::vector<float> weight = random_rows(1, kColumns, 7), bias = random_rows(1, kColumns, 8);
    for (const Kernels* kernels : supported_kernels())
        for (const int n_tokens : {1, 5, 26}) {
            const std::vector<float> x = random_rows(n_tokens, kColumns, 9);
            std::vector<float> normalized(x.size());
            for (std::size_t i = 0; i < x.size(); i += kColumns)
                kernels->layer_norm(&x[i], weight.data(), bias.data(), 1e-5f, kColumns, &normalized[i]);
            for (const DType dtype : {DType::Q8_0, DType::Q5_K}) {
                ThreadPool pool(2);
                ActivationBuffer plain, fused;
                const Activations wanted = plain.prepare(pool, *kernels, dtype, Arithmetic::q8,
                                                         normalized.data(), n_tokens, kColumns);
                const Activations got = fused.prepare_normalized(
                    pool, *kernels, dtype, x.data(), n_tokens, kColumns, {weight.data(), bias.data(), 1e-5f});
                CHECK(tiles_of(*kernels, dtype, got) == tiles_of(*kernels, dtype, wanted));
            }
        }
}
