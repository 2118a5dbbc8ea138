// What the table of every whole instruction set holds. Included inside a target region; see README.md. The functions here run
// on machines of that set alone, but for common_table(), which is evaluated when compiling.
#pragma once

#include "kernels/generic/attention.h"
#include "kernels/generic/ceiling.h"
#include "kernels/generic/kv_rows.h"
#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"
#include "kernels/generic/quantize.h"

namespace neox::NEOX_ISA {

void search_codes(const CodeSearch& search);
MatmulFn find_matmul_f32(DType weights);
MatmulFn find_matmul_step(DType weights);

inline MatmulFn find_matmul(DType weights, Arithmetic activations) {
    switch (activations) {
        case Arithmetic::q15: return find_matmul_step(weights);
        case Arithmetic::f32: return find_matmul_f32(weights);
        default: return nullptr;
    }
}

// Without a name, the processors that it needs, products of prompts, laying out and the peaks of integers, which differ.
consteval Kernels common_table() {
    Kernels table{};
    table.matmul = find_matmul;
    table.quantize_q15 = quantize_q15;
    table.search_codes = search_codes;
    table.layer_norm = layer_norm;
    table.rope = rope;
    table.attention = attention;
    table.bias_gelu_erf = bias_gelu_erf;
    table.bias_gelu_tanh = bias_gelu_tanh;
    table.bias_add = bias_add;
    table.store_kv = store_kv;
    table.load_kv = load_kv;
    table.argmax = argmax;
    table.log_sum_exp = log_sum_exp;
    table.peak_f32 = peak_f32;
    table.read = read;
    return table;
}

}  // namespace neox::NEOX_ISA
