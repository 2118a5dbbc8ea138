// Dequantization of every type against gguf-py, bit for bit.
#include "quant/quant.h"

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "check.h"
#include "golden.h"
#include "tensor/dtype.h"

namespace {

using namespace neox;

constexpr DType kWeightTypes[] = {DType::F16,  DType::BF16, DType::Q4_0,  DType::Q4_1, DType::Q5_0,
                                  DType::Q5_1, DType::Q8_0, DType::Q2_K,  DType::Q3_K, DType::Q4_K,
                                  DType::Q5_K, DType::Q6_K, DType::IQ4_NL};

TEST(dequantize_equals_gguf_py_on_random_blocks) {
    const golden::Tensors tensors(golden::fixture("quants.safetensors"));
    for (const DType type : kWeightTypes) {
        const std::string name = dtype_info(type).name;
        const std::vector<std::byte> blocks = tensors.bytes(name + ".blocks");
        const std::vector<std::int32_t> expected = tensors.ids(name + ".values");
        CHECK_EQ(blocks.size(), row_bytes(type, expected.size()));
        // One byte further on, since rows need not be aligned.
        std::vector<std::byte> shifted(blocks.size() + 1);
        std::copy(blocks.begin(), blocks.end(), shifted.begin() + 1);
        std::vector<float> x(expected.size());
        dequantize_row(type, shifted.data() + 1, static_cast<std::int64_t>(x.size()), x.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::int32_t bits = std::isnan(x[i]) ? 0x7fc00000 : std::bit_cast<std::int32_t>(x[i]);
            if (bits != expected[i])
                neox_check::failed(__FILE__, __LINE__, name, " element ", i, " is ", x[i], ", expected ",
                                   std::bit_cast<float>(expected[i]));
        }
    }
}

TEST(every_weight_type_can_be_dequantized_and_no_other) {
    for (const DType type : kWeightTypes) CHECK(can_dequantize(type));
    CHECK(can_dequantize(DType::F32));
    for (const DType type : {DType::I8, DType::I16, DType::I32, DType::I64, DType::F64}) {
        CHECK(!can_dequantize(type));
        CHECK_THROWS(dequantize_row(type, nullptr, 0, nullptr), unsupported);
    }
}

}  // namespace
