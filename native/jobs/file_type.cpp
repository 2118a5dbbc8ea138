#include "jobs/file_type.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "quant/quant.h"

namespace neox {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // of ggml's block layouts

// llama_ftype.
std::uint32_t file_type_number(DType type) {
    switch (type) {
        case DType::F32: return 0;
        case DType::F16: return 1;
        case DType::Q4_0: return 2;
        case DType::Q8_0: return 7;
        case DType::BF16: return 32;
        default:
            fail(ErrorCode::unsupported, "Files of type ", dtype_info(type).name, " cannot be written yet.");
    }
}

bool is_vector(const Tensor& tensor) {
    return tensor.n_rows() == 1 || tensor.name.ends_with(".bias") ||
           tensor.name.find("_norm.") != std::string::npos;
}

DType wanted(const Tensor& tensor, DType type) {
    return type == DType::Q4_0 && tensor.name == "output.weight" ? DType::Q8_0 : type;
}

}  // namespace

void check_file_type(DType type) {
    if (!can_quantize(type))
        fail(ErrorCode::unsupported, "Files of type ", dtype_info(type).name, " cannot be written yet.");
    static_cast<void>(file_type_number(type));
}

bool falls_back(const Tensor& tensor, std::optional<DType> type) {
    if (!type || is_vector(tensor)) return false;
    return tensor.n_cols() % static_cast<std::uint64_t>(dtype_info(wanted(tensor, *type)).block_length) != 0;
}

DType type_in_file(const Tensor& tensor, std::optional<DType> type) {
    if (is_vector(tensor)) return DType::F32;
    if (!type) return tensor.dtype;
    return falls_back(tensor, type) ? DType::F16 : wanted(tensor, *type);
}

void set_file_type(GgufFile& file, std::optional<DType> type) {
    std::map<DType, std::uint64_t> elements;
    bool is_quantized = false;
    for (const Tensor& tensor : file.tensors) {
        if (!is_vector(tensor)) elements[tensor.dtype] += tensor.n_elements();
        is_quantized |= dtype_info(tensor.dtype).block_length > 1;
    }
    const auto most = std::max_element(elements.begin(), elements.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (!type && most != elements.end()) type = most->first;
    file.set("general.file_type", GgufValue::u32(file_type_number(type.value_or(DType::F32))));
    if (is_quantized)
        file.set("general.quantization_version", GgufValue::u32(kQuantizationVersion));
    else
        std::erase_if(file.metadata,
                      [](const auto& entry) { return entry.first == "general.quantization_version"; });
}

}  // namespace neox
