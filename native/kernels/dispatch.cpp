#include "kernels/dispatch.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.h"
#include "kernels/cpu_features.h"
#include "kernels/tables.h"
#include "kernels/target.h"

namespace neox {
namespace {

constexpr std::size_t kMostTables = 8;

struct TableList {
    const Kernels* tables[kMostTables] = {};
    std::size_t n = 0;

    void add(const Kernels& table) { tables[n++] = &table; }
    std::span<const Kernels* const> span() const { return {tables, n}; }
};

TableList list_all() {
    TableList list;
#if NEOX_X86_64
    list.add(avx512vnni_kernels());
    list.add(avxvnni_kernels());
    list.add(avx512_kernels());
    list.add(avx2_kernels());
#elif NEOX_AARCH64
#if NEOX_AARCH64_DOT
    list.add(neoni8mm_kernels());
    list.add(neondot_kernels());
#endif
    list.add(neon_kernels());
#endif
    list.add(scalar_kernels());
    return list;
}

TableList list_supported() {
    const CpuFeatures cpu = detect_cpu_features();
    TableList list;
    for (const Kernels* table : all_kernels())
        if (table->supported(cpu)) list.add(*table);
    return list;
}

std::string names_of(std::span<const Kernels* const> tables) {
    std::string names;
    for (const Kernels* table : tables) names += (names.empty() ? "" : ", ") + std::string(table->name);
    return names;
}

}  // namespace

std::span<const Kernels* const> all_kernels() {
    static const TableList list = list_all();
    return list.span();
}

std::span<const Kernels* const> supported_kernels() {
    static const TableList list = list_supported();
    return list.span();
}

const Kernels& kernels_by_name(const char* name) {
    for (const Kernels* table : supported_kernels())
        if (std::strcmp(table->name, name) == 0) return *table;
    for (const Kernels* table : all_kernels())
        if (std::strcmp(table->name, name) == 0)
            fail(ErrorCode::isa, "This machine cannot run the instruction set \"", name,
                 "\"; it can run: ", names_of(supported_kernels()), ".");
    fail(ErrorCode::isa, "Unknown instruction set \"", name, "\"; there are: ", names_of(all_kernels()), ".");
}

const Kernels& active_kernels() {
    const char* forced = std::getenv("NEOX_FORCE_ISA");
    return forced && *forced != '\0' ? kernels_by_name(forced) : *supported_kernels().front();
}

}  // namespace neox
