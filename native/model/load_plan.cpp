#include "model/load_plan.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "kernels/layout.h"
#include "quant/quant.h"

namespace neox {

namespace {

// Large enough that the calls of the system do not count; small enough that two threads' slices, as read and as laid out, stay
// in caches of their own.
constexpr std::uint64_t kSliceBytes = std::uint64_t{1} << 19;

// Rows of a slice: whole slabs, which are laid out in the order of their bytes, else whole pairs of panels, else a panel.
std::uint64_t rows_of_slice(std::uint64_t row_bytes) {
    const std::uint64_t n = kSliceBytes / std::max<std::uint64_t>(row_bytes, 1);
    for (const std::uint64_t unit : {kSlabPanels * kPanelRows, kPairPanels * kPanelRows})
        if (n >= unit) return n / unit * unit;
    return kPanelRows;
}

struct NamedRole {
    std::string_view name;
    Role role;
};

constexpr NamedRole kGlobal[] = {
    {"token_embd.weight", Role::token_embd},
    {"output_norm.weight", Role::output_norm},
    {"output_norm.bias", Role::output_norm_bias},
    {"output.weight", Role::output},
};

constexpr NamedRole kLayer[] = {
    {"attn_norm.weight", Role::attn_norm},     {"attn_norm.bias", Role::attn_norm_bias},
    {"attn_qkv.weight", Role::attn_qkv},       {"attn_qkv.bias", Role::attn_qkv_bias},
    {"attn_output.weight", Role::attn_output}, {"attn_output.bias", Role::attn_output_bias},
    {"ffn_norm.weight", Role::ffn_norm},       {"ffn_norm.bias", Role::ffn_norm_bias},
    {"ffn_up.weight", Role::ffn_up},           {"ffn_up.bias", Role::ffn_up_bias},
    {"ffn_down.weight", Role::ffn_down},       {"ffn_down.bias", Role::ffn_down_bias},
};

struct Place {
    Role role;
    std::int32_t layer;
};

std::map<std::string, Place, std::less<>> places(const Config& config) {
    std::map<std::string, Place, std::less<>> map;
    for (const NamedRole& global : kGlobal) map.emplace(global.name, Place{global.role, -1});
    for (std::int32_t layer = 0; layer < config.n_layer; ++layer)
        for (const NamedRole& named : kLayer)
            map.emplace(text("blk.", layer, ".", named.name), Place{named.role, layer});
    return map;
}

DType resident_type(const Tensor& tensor, Role role, const TypeMix& mix) {
    const DType dtype = is_vector(tensor) ? tensor.dtype : mix.choose(tensor).dtype;
    const bool usable =
        role == Role::token_embd || is_vector(tensor) ? can_dequantize(dtype) : is_resident_dtype(dtype);
    if (!usable)
        fail(ErrorCode::unsupported, "Tensor ", tensor.name, " has type ", dtype_info(dtype).name,
             ", which cannot be run yet.");
    if (dtype != tensor.dtype) {
        if (!can_dequantize(tensor.dtype) || !can_quantize(dtype))
            fail(ErrorCode::unsupported, "Tensor ", tensor.name, " cannot be converted from ",
                 dtype_info(tensor.dtype).name, " to ", dtype_info(dtype).name, ".");
    }
    return dtype;
}

}  // namespace

std::vector<TensorSpec> LoadPlan::specs() const {
    std::vector<TensorSpec> all;
    for (const PlannedTensor& tensor : tensors) all.push_back(tensor.spec);
    return all;
}

LoadPlan plan_load(const TensorSource& source, std::optional<FileType> type) {
    const TypeMix mix({.type = type}, source.config().n_layer);
    const auto known = places(source.config());
    LoadPlan plan;
    std::map<DType, std::uint64_t> elements;
    const std::vector<Tensor>& tensors = source.tensors();
    for (std::size_t index = 0; index < tensors.size(); ++index) {
        const Tensor& tensor = tensors[index];
        const auto place = known.find(tensor.name);
        if (place == known.end()) continue;
        const DType dtype = resident_type(tensor, place->second.role, mix);
        if (!is_vector(tensor)) elements[dtype] += tensor.n_elements();
        if (dtype != tensor.dtype && is_quantized(dtype) && is_quantized(tensor.dtype))
            plan.is_requantized = true;
        const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
        const std::uint64_t step = rows_of_slice(stride);
        for (std::uint64_t row = 0; row < tensor.n_rows(); row += step) {
            const std::uint64_t n_rows = std::min(step, tensor.n_rows() - row);
            plan.slices.push_back({plan.tensors.size(), row, n_rows, n_rows * stride});
            plan.n_bytes += n_rows * stride;
        }
        plan.tensors.push_back(
            {index,
             {place->second.role, place->second.layer, dtype, static_cast<std::int64_t>(tensor.n_rows()),
              static_cast<std::int64_t>(tensor.n_cols())}});
    }
    std::uint64_t most = 0;
    for (const auto& [dtype, n] : elements)
        if (n > most) {
            most = n;
            plan.dtype = dtype;
        }
    return plan;
}

MemoryEstimate estimate_memory(const Device& device, const Config& config, const BackendOptions& options,
                               const LoadPlan& plan) {
    const std::vector<TensorSpec> specs = plan.specs();
    MemoryEstimate estimate{};
    check(device.estimate(device.self, &config, &options, specs.data(), specs.size(), &estimate));
    return estimate;
}

}  // namespace neox
