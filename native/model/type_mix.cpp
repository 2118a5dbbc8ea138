#include "model/type_mix.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"

namespace neox {
namespace {

constexpr std::size_t kLongestPattern = 256;

// libstdc++ tries every way to match one after the other, 2^n of them for "(.*)*x", unless it is told to follow
// all of them at once; patterns with \1 are then refused.
#if defined(__GLIBCXX__)
constexpr auto kSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto kSyntax = std::regex::ECMAScript;
#endif

// The name behind "blk.N." and N, or the whole name and -1.
struct Place {
    std::string_view role;
    std::int32_t layer;
};

Place place_of(std::string_view name) {
    constexpr std::string_view kPrefix = "blk.";
    if (!name.starts_with(kPrefix)) return {name, -1};
    std::int32_t layer = -1;
    const char* end = name.data() + name.size();
    const auto [dot, error] = std::from_chars(name.data() + kPrefix.size(), end, layer);
    if (error != std::errc() || dot == end || *dot != '.') return {name, -1};
    return {std::string_view(dot + 1, end), layer};
}

bool more_bits_are_due(std::int32_t layer, std::int32_t n_layer) {
    return layer < n_layer / 8 || layer >= 7 * n_layer / 8 || (layer - n_layer / 8) % 3 == 2;
}

DType type_of_attn_qkv(FileType type, DType plain, std::int32_t layer, std::int32_t n_layer) {
    switch (type) {
        case FileType::Q2_K: return DType::Q3_K;
        case FileType::Q3_K_M: return layer < 2 ? DType::Q5_K : DType::Q4_K;
        case FileType::Q3_K_L: return DType::Q5_K;
        case FileType::Q4_K_S: return layer < 4 ? DType::Q5_K : plain;
        case FileType::Q4_K_M:
        case FileType::Q5_K_M: return more_bits_are_due(layer, n_layer) ? DType::Q6_K : plain;
        default: return plain;
    }
}

DType type_of_attn_output(FileType type, DType plain) {
    switch (type) {
        case FileType::Q2_K: return DType::Q3_K;
        case FileType::Q3_K_M: return DType::Q4_K;
        case FileType::Q3_K_L: return DType::Q5_K;
        default: return plain;
    }
}

DType type_of_ffn_down(FileType type, DType plain, std::int32_t layer, std::int32_t n_layer,
                       bool has_importance) {
    const bool is_early = layer < n_layer / 8;
    switch (type) {
        case FileType::Q2_K: return DType::Q3_K;
        case FileType::Q3_K_M: return layer < n_layer / 16 ? DType::Q5_K : DType::Q4_K;
        case FileType::Q3_K_L: return DType::Q5_K;
        case FileType::Q4_K_S: return is_early ? DType::Q5_K : plain;
        case FileType::Q4_K_M:
        case FileType::Q5_K_M: return more_bits_are_due(layer, n_layer) ? DType::Q6_K : plain;
        case FileType::IQ4_NL: return is_early && !has_importance ? DType::Q5_K : plain;
        case FileType::Q4_0: return is_early && has_importance ? DType::Q4_1 : plain;
        case FileType::Q5_0: return is_early && has_importance ? DType::Q5_1 : plain;
        default: return plain;
    }
}

bool fits(DType dtype, const Tensor& tensor) {
    return tensor.n_cols() % static_cast<std::uint64_t>(dtype_info(dtype).block_length) == 0;
}

DType with_shorter_blocks(DType dtype) {
    switch (dtype) {
        case DType::Q2_K:
        case DType::Q3_K: return DType::Q4_0;
        case DType::Q4_K: return DType::Q5_0;
        case DType::Q5_K: return DType::Q5_1;
        case DType::Q6_K: return DType::Q8_0;
        default: return DType::F16;
    }
}

std::regex compile(const std::string& pattern) {
    if (pattern.size() > kLongestPattern)
        fail(ErrorCode::invalid_argument, "A pattern of ", pattern.size(),
             " bytes for tensor names; at most ", kLongestPattern, " are accepted.");
    try {
        return std::regex(pattern, kSyntax);
    } catch (const std::regex_error& e) {
        fail(ErrorCode::invalid_argument, "'", pattern, "' is no regular expression: ", e.what(), ".");
    }
}

// Some libraries give up here on a pattern that they compiled.
bool is_match(const std::string& name, const std::regex& pattern) {
    try {
        return std::regex_search(name, pattern);
    } catch (const std::regex_error& e) {
        fail(ErrorCode::invalid_argument, "A pattern for tensor names is too complex: ", e.what(), ".");
    }
}

}  // namespace

bool is_vector(const Tensor& tensor) {
    return tensor.n_rows() == 1 || tensor.name.ends_with(".bias") ||
           tensor.name.find("_norm.") != std::string::npos;
}

TypeMix::TypeMix(const TypeRules& rules, std::int32_t n_layer) : rules_(rules), n_layer_(n_layer) {
    for (const TypeOverride& each : rules.overrides)
        overrides_.push_back({each.pattern, compile(each.pattern), each.dtype});
}

DType TypeMix::wanted(const Tensor& tensor) const {
    for (const Override& each : overrides_)
        if (is_match(tensor.name, each.pattern)) return each.dtype;
    if (!rules_.type) return tensor.dtype;
    const FileType type = *rules_.type;
    const DType plain = file_type_info(type).dtype;
    if (rules_.is_pure || !is_quantized(plain)) return plain;
    const auto [role, layer] = place_of(tensor.name);
    if (role == "output.weight") return plain == DType::Q8_0 ? DType::Q8_0 : DType::Q6_K;
    if (role == "attn_qkv.weight") return type_of_attn_qkv(type, plain, layer, n_layer_);
    if (role == "attn_output.weight") return type_of_attn_output(type, plain);
    if (role == "ffn_down.weight")
        return type_of_ffn_down(type, plain, layer, n_layer_, rules_.has_importance);
    return plain;
}

TypeMix::Choice TypeMix::choose(const Tensor& tensor) const {
    if (is_vector(tensor)) return {DType::F32, false};
    const DType dtype = wanted(tensor);
    if (fits(dtype, tensor)) return {dtype, false};
    const DType shorter = with_shorter_blocks(dtype);
    return {fits(shorter, tensor) ? shorter : DType::F16, true};
}

void TypeMix::check_overrides(std::span<const Tensor> tensors) const {
    for (const Override& each : overrides_) {
        const auto is_hit = [&](const Tensor& tensor) {
            return !is_vector(tensor) && is_match(tensor.name, each.pattern);
        };
        if (std::none_of(tensors.begin(), tensors.end(), is_hit))
            fail(ErrorCode::invalid_argument, "No matrix has a name that matches '", each.text, "'.");
    }
}

}  // namespace neox
