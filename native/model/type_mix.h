// Which tensor of a model gets which type, by the rules of llama.cpp as of 2026 (since its attn_qkv counts as attn_v):
//
//   vectors (norms, biases)   F32
//   output                    Q6_K, but Q8_0 in a Q8_0 file
//   attn_qkv                  Q2_K: Q3_K | Q3_K_M: Q5_K in layers 0 and 1, else Q4_K | Q3_K_L: Q5_K
//                             Q4_K_S: Q5_K in layers 0 to 3 | Q4_K_M, Q5_K_M: Q6_K where more bits are due
//   attn_output               Q2_K: Q3_K | Q3_K_M: Q4_K | Q3_K_L: Q5_K
//   ffn_down                  Q2_K: Q3_K | Q3_K_M: Q5_K in the first n/16 layers, else Q4_K | Q3_K_L: Q5_K
//                             Q4_K_S: Q5_K in the first n/8 layers | Q4_K_M, Q5_K_M: Q6_K where more bits are due
//                             IQ4_NL: Q5_K in the first n/8 layers, unless there is an importance matrix
//                             Q4_0: Q4_1, Q5_0: Q5_1 in the first n/8 layers, if there is one
//   everything else           the file type's own
//
// More bits are due in the first and the last eighth of n layers and in every third one between. Where a row is no
// multiple of the type's block, the tensor gets a type that fits: Q2_K and Q3_K become Q4_0, Q4_K Q5_0, Q5_K Q5_1,
// Q6_K Q8_0; where that does not fit either, F16.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "model/file_type.h"
#include "tensor/tensor.h"

namespace neox {

// Tensors whose names a pattern matches anywhere (ECMAScript, but \1 is not portable) get this type, whatever the mix
// says.
struct TypeOverride {
    std::string pattern;
    DType dtype = DType::F32;
};

struct TypeRules {
    std::optional<FileType> type{};         // nullopt keeps each matrix as it is
    bool has_importance = false;            // an importance matrix will guide the rounding
    bool is_pure = false;                   // every matrix gets the file type's own type
    std::vector<TypeOverride> overrides{};  // the first that matches counts
};

class TypeMix {
public:
    struct Choice {
        DType dtype;
        bool is_fallback;  // the rules' own type does not fit the rows
    };

    // Throws ERR_NEOX_INVALID_ARGUMENT for a pattern that is no regular expression.
    TypeMix(const TypeRules& rules, std::int32_t n_layer);

    // By the tensor's name, shape and, where nothing is asked for, its own type.
    Choice choose(const Tensor& tensor) const;

    // Throws ERR_NEOX_INVALID_ARGUMENT naming the first override that matches no matrix of a file: a mistyped one.
    void check_overrides(std::span<const Tensor> tensors) const;

private:
    DType wanted(const Tensor& tensor) const;

    struct Override {
        std::string text;
        std::regex pattern;
        DType dtype;
    };
    TypeRules rules_;
    std::int32_t n_layer_;
    std::vector<Override> overrides_;
};

// Norms and biases, which are never quantized.
bool is_vector(const Tensor& tensor);

}  // namespace neox
