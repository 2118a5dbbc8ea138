#include "break_kernel.h"

#include <cstdint>
#include <cstring>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "kernels_rig.h"

namespace {

using namespace kernels_rig;

// The table as it was, and the one case in which a function that stands for several does nothing.
Kernels original;
DType broken_type;
Arithmetic broken_arithmetic;
KvType broken_kv_type;

void no_product(const MatmulArgs&) {}
MatmulFn matmul(DType weights, Arithmetic activations) {
    return weights == broken_type && activations == broken_arithmetic ? no_product
                                                                      : original.matmul(weights, activations);
}
PromptKernels broken_prompt;
PromptKernels prompt(DType weights, Arithmetic activations) {
    return weights == broken_type && activations == broken_arithmetic ? broken_prompt
                                                                      : original.prompt(weights, activations);
}
void search_codes(const CodeSearch& search) {
    if (search.dtype != broken_type) original.search_codes(search);
}
void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side) {
    if (dtype != broken_type) original.lay_out_blocks(dtype, n_cols, rows, row_stride, tile, width, side);
}
void attention(const AttentionArgs& args) {
    if (args.kv_type != broken_kv_type) original.attention(args);
}
void store_kv(KvType type, KvSide side, const float* src, int head_dim, std::byte* tile, int position) {
    if (type != broken_kv_type) original.store_kv(type, side, src, head_dim, tile, position);
}
void load_kv(KvType type, KvSide side, const std::byte* tile, int position, int head_dim, float* dst) {
    if (type != broken_kv_type) original.load_kv(type, side, tile, position, head_dim, dst);
}

template <class Result, class... Args> void clear(Result (*&function)(Args...)) {
    function = [](Args...) -> Result { return Result(); };
}

// change(name, f): f(table) takes the body out of the function of that name.
template <class Change> void each_change(const Kernels& kernels, Change&& change) {
    const char* const names[] = {"f32", "int16", "q8", "q15"};
    each_pair([&](DType dtype, Arithmetic arithmetic) {
        const std::string pair =
            neox::text(" ", dtype_info(dtype).name, " ", names[static_cast<int>(arithmetic)]);
        if (kernels.matmul(dtype, arithmetic))
            change("matmul" + pair, [=](Kernels& table) {
                broken_type = dtype;
                broken_arithmetic = arithmetic;
                table.matmul = matmul;
            });
        const auto change_prompt = [&](const char* function, auto member) {
            change(function + pair, [=](Kernels& table) {
                broken_type = dtype;
                broken_arithmetic = arithmetic;
                broken_prompt = original.prompt(dtype, arithmetic);
                clear(broken_prompt.*member);
                table.prompt = prompt;
            });
        };
        if (!kernels.prompt(dtype, arithmetic).multiply) return;
        change_prompt("quantize", &PromptKernels::quantize);
        change_prompt("unpack", &PromptKernels::unpack);
        change_prompt("multiply", &PromptKernels::multiply);
        if (kernels.prompt(dtype, arithmetic).multiply_single)
            change_prompt("multiply_single", &PromptKernels::multiply_single);
    });
    for (const DType dtype : kQuantizedTypes) {
        change(neox::text("lay_out_blocks ", dtype_info(dtype).name), [=](Kernels& table) {
            broken_type = dtype;
            table.lay_out_blocks = lay_out_blocks;
        });
        if (!needs_code_search(dtype)) continue;
        change(neox::text("search_codes ", dtype_info(dtype).name), [=](Kernels& table) {
            broken_type = dtype;
            table.search_codes = search_codes;
        });
    }
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
        const char* name = kKvTypeNames[static_cast<int>(type)];
        const auto change_kv = [&](const char* function, auto member, auto replacement) {
            change(neox::text(function, " ", name), [=](Kernels& table) {
                broken_kv_type = type;
                table.*member = replacement;
            });
        };
        change_kv("attention", &Kernels::attention, attention);
        change_kv("store_kv", &Kernels::store_kv, store_kv);
        change_kv("load_kv", &Kernels::load_kv, load_kv);
    }
    const auto change_whole = [&](const char* name, auto member) {
        if (kernels.*member) change(name, [=](Kernels& table) { clear(table.*member); });
    };
    change_whole("quantize_q15", &Kernels::quantize_q15);
    change_whole("layer_norm", &Kernels::layer_norm);
    change_whole("rope", &Kernels::rope);
    change_whole("bias_gelu_erf", &Kernels::bias_gelu_erf);
    change_whole("bias_gelu_tanh", &Kernels::bias_gelu_tanh);
    change_whole("bias_add", &Kernels::bias_add);
    change_whole("argmax", &Kernels::argmax);
    change_whole("log_sum_exp", &Kernels::log_sum_exp);
    change_whole("peak_int8", &Kernels::peak_int8);
    change_whole("peak_int16", &Kernels::peak_int16);
    change_whole("peak_f32", &Kernels::peak_f32);
    change_whole("read", &Kernels::read);
}

// Tables are constant, as they should be everywhere else.
void overwrite(const Kernels& table, const Kernels& changed) {
    const auto begin = reinterpret_cast<std::uintptr_t>(&table), end = begin + sizeof(table);
#if defined(_WIN32)
    DWORD before;
    VirtualProtect(reinterpret_cast<void*>(begin), end - begin, PAGE_READWRITE, &before);
#else
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const std::uintptr_t first = begin / page * page;
    mprotect(reinterpret_cast<void*>(first), end - first, PROT_READ | PROT_WRITE);
#endif
    std::memcpy(reinterpret_cast<void*>(begin), &changed, sizeof(changed));
}

}  // namespace

namespace break_kernel {

std::vector<std::string> names(const neox::Kernels& kernels) {
    std::vector<std::string> all;
    each_change(kernels, [&](const std::string& name, auto&&) { all.push_back(name); });
    return all;
}

bool apply(const neox::Kernels& kernels, const std::string& name) {
    original = kernels;
    Kernels changed = kernels;
    bool found = false;
    each_change(kernels, [&](const std::string& each, auto&& change) {
        if (each != name) return;
        change(changed);
        found = true;
    });
    if (found) overwrite(kernels, changed);
    return found;
}

}  // namespace break_kernel
