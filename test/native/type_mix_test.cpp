// Which tensor gets which type. The expected rows are what llama.cpp makes of models of these sizes, as
// test/python/llama_types.py prints it; test/integration/llama-types.test.ts compares again where llama.cpp is at hand.
#include <string>

#include "check.h"
#include "jobs/synth.h"
#include "model/type_mix.h"

namespace {

using namespace neox;

// A character for each type that occurs.
char letter(DType dtype) {
    switch (dtype) {
        case DType::Q2_K: return '2';
        case DType::Q3_K: return '3';
        case DType::Q4_K: return '4';
        case DType::Q5_K: return '5';
        case DType::Q6_K: return '6';
        case DType::Q8_0: return '8';
        case DType::Q4_0: return 'a';
        case DType::Q4_1: return 'b';
        case DType::Q5_0: return 'c';
        case DType::Q5_1: return 'd';
        case DType::IQ4_NL: return 'n';
        case DType::F16: return 'h';
        default: return '?';
    }
}

struct Row {
    FileType type;
    bool has_importance;
    std::int32_t n_layer;
    std::uint64_t n_embd, n_ff;
    const char* others;    // output, token_embd, attn_output, ffn_up
    const char* attn_qkv;  // of each layer
    const char* ffn_down;
};

constexpr Row kRows[] = {
    {FileType::Q8_0, false, 16, 256, 256, "8888", "8888888888888888", "8888888888888888"},
    {FileType::Q4_0, false, 16, 256, 256, "6aaa", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"},
    {FileType::Q4_0, true, 16, 256, 256, "6aaa", "aaaaaaaaaaaaaaaa", "bbaaaaaaaaaaaaaa"},
    {FileType::Q4_1, false, 16, 256, 256, "6bbb", "bbbbbbbbbbbbbbbb", "bbbbbbbbbbbbbbbb"},
    {FileType::Q5_0, false, 16, 256, 256, "6ccc", "cccccccccccccccc", "cccccccccccccccc"},
    {FileType::Q5_0, true, 16, 256, 256, "6ccc", "cccccccccccccccc", "ddcccccccccccccc"},
    {FileType::Q5_1, false, 16, 256, 256, "6ddd", "dddddddddddddddd", "dddddddddddddddd"},
    {FileType::Q2_K, false, 16, 256, 256, "6232", "3333333333333333", "3333333333333333"},
    {FileType::Q3_K_S, false, 16, 256, 256, "6333", "3333333333333333", "3333333333333333"},
    {FileType::Q3_K_M, false, 16, 256, 256, "6343", "5544444444444444", "5444444444444444"},
    {FileType::Q3_K_L, false, 16, 256, 256, "6353", "5555555555555555", "5555555555555555"},
    {FileType::Q4_K_S, false, 16, 256, 256, "6444", "5555444444444444", "5544444444444444"},
    {FileType::Q4_K_M, false, 16, 256, 256, "6444", "6644644644644666", "6644644644644666"},
    {FileType::Q5_K_S, false, 16, 256, 256, "6555", "5555555555555555", "5555555555555555"},
    {FileType::Q5_K_M, false, 16, 256, 256, "6555", "6655655655655666", "6655655655655666"},
    {FileType::Q6_K, false, 16, 256, 256, "6666", "6666666666666666", "6666666666666666"},
    {FileType::IQ4_NL, false, 16, 256, 256, "6nnn", "nnnnnnnnnnnnnnnn", "55nnnnnnnnnnnnnn"},
    {FileType::IQ4_NL, true, 16, 256, 256, "6nnn", "nnnnnnnnnnnnnnnn", "nnnnnnnnnnnnnnnn"},
    {FileType::Q8_0, false, 4, 96, 160, "8888", "8888", "8888"},
    {FileType::Q4_0, false, 4, 96, 160, "8aaa", "aaaa", "aaaa"},
    {FileType::Q4_1, false, 4, 96, 160, "8bbb", "bbbb", "bbbb"},
    {FileType::Q5_0, false, 4, 96, 160, "8ccc", "cccc", "cccc"},
    {FileType::Q5_1, false, 4, 96, 160, "8ddd", "dddd", "dddd"},
    {FileType::Q2_K, false, 4, 96, 160, "8aaa", "aaaa", "aaaa"},
    {FileType::Q3_K_S, false, 4, 96, 160, "8aaa", "aaaa", "aaaa"},
    {FileType::Q3_K_M, false, 4, 96, 160, "8aca", "ddcc", "cccc"},
    {FileType::Q3_K_L, false, 4, 96, 160, "8ada", "dddd", "dddd"},
    {FileType::Q4_K_S, false, 4, 96, 160, "8ccc", "dddd", "cccc"},
    {FileType::Q4_K_M, false, 4, 96, 160, "8ccc", "cc88", "cc88"},
    {FileType::Q5_K_S, false, 4, 96, 160, "8ddd", "dddd", "dddd"},
    {FileType::Q5_K_M, false, 4, 96, 160, "8ddd", "dd88", "dd88"},
    {FileType::Q6_K, false, 4, 96, 160, "8888", "8888", "8888"},
    {FileType::IQ4_NL, false, 4, 96, 160, "8nnn", "nnnn", "nnnn"},
    {FileType::Q8_0, false, 4, 256, 160, "8888", "8888", "8888"},
    {FileType::Q4_0, false, 4, 256, 160, "6aaa", "aaaa", "aaaa"},
    {FileType::Q4_1, false, 4, 256, 160, "6bbb", "bbbb", "bbbb"},
    {FileType::Q5_0, false, 4, 256, 160, "6ccc", "cccc", "cccc"},
    {FileType::Q5_1, false, 4, 256, 160, "6ddd", "dddd", "dddd"},
    {FileType::Q2_K, false, 4, 256, 160, "6232", "3333", "aaaa"},
    {FileType::Q3_K_S, false, 4, 256, 160, "6333", "3333", "aaaa"},
    {FileType::Q3_K_M, false, 4, 256, 160, "6343", "5544", "cccc"},
    {FileType::Q3_K_L, false, 4, 256, 160, "6353", "5555", "dddd"},
    {FileType::Q4_K_S, false, 4, 256, 160, "6444", "5555", "cccc"},
    {FileType::Q4_K_M, false, 4, 256, 160, "6444", "4466", "cc88"},
    {FileType::Q5_K_S, false, 4, 256, 160, "6555", "5555", "dddd"},
    {FileType::Q5_K_M, false, 4, 256, 160, "6555", "5566", "dd88"},
    {FileType::Q6_K, false, 4, 256, 160, "6666", "6666", "8888"},
    {FileType::IQ4_NL, false, 4, 256, 160, "6nnn", "nnnn", "nnnn"},
};

Tensor matrix(std::string name, std::uint64_t n_cols, DType dtype = DType::F32) {
    Tensor tensor;
    tensor.name = std::move(name);
    tensor.dtype = dtype;
    tensor.n_dims = 2;
    tensor.shape[0] = n_cols;
    tensor.shape[1] = 32;
    return tensor;
}

TypeRules rules_of(FileType type) {
    TypeRules rules;
    rules.type = type;
    return rules;
}

TEST(type_mix_is_that_of_llama_cpp) {
    for (const Row& row : kRows) {
        TypeRules rules = rules_of(row.type);
        rules.has_importance = row.has_importance;
        const TypeMix mix(rules, row.n_layer);
        const auto of = [&](const std::string& name, std::uint64_t n_cols) {
            return letter(mix.choose(matrix(name, n_cols)).dtype);
        };
        const std::string others = {of("output.weight", row.n_embd), of("token_embd.weight", row.n_embd),
                                    of("blk.1.attn_output.weight", row.n_embd),
                                    of("blk.1.ffn_up.weight", row.n_embd)};
        CHECK_EQ(others, std::string(row.others));
        std::string attn_qkv, ffn_down;
        for (int layer = 0; layer < row.n_layer; ++layer) {
            attn_qkv += of(text("blk.", layer, ".attn_qkv.weight"), row.n_embd);
            ffn_down += of(text("blk.", layer, ".ffn_down.weight"), row.n_ff);
        }
        CHECK_EQ(attn_qkv, std::string(row.attn_qkv));
        CHECK_EQ(ffn_down, std::string(row.ffn_down));
    }
}

TEST(type_mix_leaves_vectors_and_floats_alone) {
    for (const FileTypeInfo& info : file_types()) {
        const TypeMix mix(rules_of(info.type), 2);
        for (const char* name : {"output_norm.weight", "blk.0.attn_norm.weight", "blk.0.attn_qkv.bias"}) {
            Tensor vector = matrix(name, 256);
            vector.n_dims = 1;
            vector.shape[1] = 1;
            CHECK(mix.choose(vector).dtype == DType::F32);
        }
    }
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16}) {
        const TypeMix mix(rules_of(file_type_of(dtype)), 2);
        for (const char* name : {"output.weight", "blk.0.attn_qkv.weight", "blk.1.ffn_down.weight"})
            CHECK(mix.choose(matrix(name, 7)).dtype == dtype);
    }
    const TypeMix keep({}, 2);
    CHECK(keep.choose(matrix("output.weight", 256, DType::Q3_K)).dtype == DType::Q3_K);
}

TEST(type_mix_says_where_it_fell_back) {
    const TypeMix mix(rules_of(FileType::Q4_K_M), 4);
    CHECK(!mix.choose(matrix("blk.0.ffn_up.weight", 256)).is_fallback);
    CHECK(mix.choose(matrix("blk.0.ffn_up.weight", 96)).is_fallback);
    const TypeMix::Choice odd = mix.choose(matrix("blk.0.ffn_up.weight", 48));
    CHECK(odd.is_fallback && odd.dtype == DType::F16);
}

TEST(type_mix_pure_and_overrides) {
    TypeRules rules = rules_of(FileType::Q4_K_M);
    rules.is_pure = true;
    CHECK(TypeMix(rules, 4).choose(matrix("output.weight", 256)).dtype == DType::Q4_K);
    rules.is_pure = false;
    rules.overrides = {
        {"blk\\.[01]\\.ffn_down", DType::Q8_0}, {"ffn_down", DType::Q2_K}, {"_norm", DType::Q8_0}};
    const TypeMix mix(rules, 4);
    CHECK(mix.choose(matrix("blk.1.ffn_down.weight", 256)).dtype == DType::Q8_0);
    CHECK(mix.choose(matrix("blk.2.ffn_down.weight", 256)).dtype == DType::Q2_K);
    CHECK(mix.choose(matrix("blk.2.ffn_down.weight", 96)).dtype == DType::Q4_0);
    CHECK(mix.choose(matrix("blk.2.attn_output.weight", 256)).dtype == DType::Q4_K);
    CHECK(mix.choose(matrix("blk.2.attn_norm.weight", 256)).dtype == DType::F32);
    const std::vector<Tensor> tensors{matrix("blk.0.ffn_down.weight", 256),
                                      matrix("blk.2.ffn_down.weight", 256)};
    CHECK_THROWS(mix.check_overrides(tensors), invalid_argument);  // "_norm" matches no matrix
    rules.overrides.pop_back();
    TypeMix(rules, 4).check_overrides(tensors);
    // Nested repetitions end, too: libstdc++ has an answer, other libraries may give up with an error.
    rules.overrides = {{"(.*)*(.*)*x", DType::Q8_0}, {"(b(l(k)*)*)*", DType::Q5_K}};
    try {
        CHECK(TypeMix(rules, 4).choose(matrix("blk.2.attn_output.weight", 256)).dtype == DType::Q5_K);
    } catch (const Error& error) {
#ifdef __GLIBCXX__
        throw;
#else
        CHECK(error.code() == ErrorCode::invalid_argument);
#endif
    }
    rules.overrides = {{"(", DType::Q8_0}};
    CHECK_THROWS(TypeMix(rules, 4), invalid_argument);
    rules.overrides = {{std::string(257, 'a'), DType::Q8_0}};
    CHECK_THROWS(TypeMix(rules, 4), invalid_argument);
}

TEST(file_types_have_names_and_numbers) {
    for (const FileTypeInfo& info : file_types()) {
        CHECK(file_type_from_name(info.name) == info.type);
        CHECK(find_file_type(static_cast<std::uint32_t>(info.type)) == &info);
        const FileTypeInfo& plain = file_type_info(file_type_of(info.dtype));
        CHECK(plain.dtype == info.dtype);
    }
    CHECK(file_type_from_name("q4_k_m") == FileType::Q4_K_M);
    CHECK(file_type_from_name("q4_k") == FileType::Q4_K_M);
    CHECK(file_type_from_name("Q3_K") == FileType::Q3_K_M);
    CHECK(file_type_of(DType::Q5_K) == FileType::Q5_K_S);
    CHECK(!file_type_from_name("Q4_K_L"));
    CHECK(!file_type_from_name(""));
    CHECK(find_file_type(15)->type == FileType::Q4_K_M);
    CHECK(!find_file_type(1024 + 15));
    CHECK_THROWS(file_type_of(DType::I32), unsupported);
}

// GB of 10^9 bytes, as published for these models or computed from llama.cpp's rules.
TEST(files_of_real_shapes_have_the_sizes_of_llama_cpp) {
    const auto size = [](const char* shape, FileType type) {
        SynthOptions options;
        options.shape = shape;
        options.type = type;
        options.dry_run = true;
        return static_cast<double>(synth(options).n_bytes) / 1e9;
    };
    const struct {
        FileType type;
        double rinna_3_6b, rinna_4b;
    } expected[] = {
        {FileType::F16, 7.217, 7.595},    {FileType::Q8_0, 3.837, 4.037},   {FileType::Q6_K, 2.963, 3.118},
        {FileType::Q5_1, 2.716, 2.864},   {FileType::Q5_K_M, 2.629, 2.771}, {FileType::Q5_0, 2.496, 2.639},
        {FileType::Q4_K_M, 2.314, 2.445}, {FileType::Q4_1, 2.277, 2.413},   {FileType::Q4_K_S, 2.085, 2.215},
        {FileType::Q4_0, 2.057, 2.187},   {FileType::Q3_K_M, 1.907, 2.025}, {FileType::Q2_K, 1.465, 1.573},
    };
    for (const auto& each : expected) {
        CHECK_NEAR(size("3.6b", each.type), each.rinna_3_6b, 6e-4);
        CHECK_NEAR(size("4b", each.type), each.rinna_4b, 6e-4);
    }
}

}  // namespace
