#include "jobs/output_types.h"

#include <algorithm>
#include <map>

#include "base/checked.h"
#include "base/error.h"
#include "quant/quant.h"

namespace neox {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // of ggml's block layouts

FileType most_frequent(const std::vector<Tensor>& tensors) {
    std::map<DType, std::uint64_t> elements;
    for (const Tensor& tensor : tensors)
        if (!is_vector(tensor)) elements[tensor.dtype] += tensor.n_elements();
    const auto most = std::max_element(elements.begin(), elements.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == elements.end() ? FileType::F32 : file_type_of(most->first);
}

}  // namespace

std::uint64_t tensor_bytes(const GgufFile& file) {
    std::uint64_t sum = 0;
    for (const Tensor& tensor : file.tensors)
        sum = checked_add(
            sum, checked_mul(row_bytes(tensor.dtype, tensor.n_cols()), tensor.n_rows(), "tensor"), "tensors");
    return sum;
}

WrittenFile assign_types(GgufFile& file, const TypeRules& rules, std::int32_t n_layer) {
    const TypeMix mix(rules, n_layer);
    mix.check_overrides(file.tensors);
    WrittenFile written;
    bool has_quantized = false;
    for (Tensor& tensor : file.tensors) {
        const auto [dtype, is_fallback] = mix.choose(tensor);
        if (is_fallback) written.fallbacks.push_back(tensor.name);
        if (dtype != tensor.dtype) {
            if (!can_dequantize(tensor.dtype))
                fail(ErrorCode::unsupported, "Tensor '", tensor.name, "' has type ",
                     dtype_info(tensor.dtype).name, ", which cannot be read.");
            if (is_quantized(tensor.dtype) && is_quantized(dtype)) written.requantized.push_back(tensor.name);
        }
        tensor.dtype = dtype;
        has_quantized |= is_quantized(dtype);
    }
    const FileType type = rules.type ? *rules.type : most_frequent(file.tensors);
    file.set("general.file_type", GgufValue::u32(static_cast<std::uint32_t>(type)));
    if (has_quantized)
        file.set("general.quantization_version", GgufValue::u32(kQuantizationVersion));
    else
        std::erase_if(file.metadata,
                      [](const auto& entry) { return entry.first == "general.quantization_version"; });
    return written;
}

}  // namespace neox
