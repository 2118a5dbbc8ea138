// Which instruction set is chosen.
#include "kernels/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "kernels/cpu_features.h"
#include "kernels/kernels.h"

using namespace neox;

// A set runs only where everything is that it is compiled for.
TEST(kernels_sets_want_all_their_features) {
    using Feature = bool CpuFeatures::*;
    const auto with = [](std::vector<Feature> features, std::initializer_list<Feature> more) {
        features.insert(features.end(), more);
        return features;
    };
    const std::vector<Feature> avx2 = {&CpuFeatures::avx2, &CpuFeatures::fma, &CpuFeatures::f16c};
    const std::vector<Feature> avx512 = with(avx2, {&CpuFeatures::avx512f, &CpuFeatures::avx512bw,
                                                    &CpuFeatures::avx512vl, &CpuFeatures::avx512dq});
    const std::pair<std::string, std::vector<Feature>> wanted[] = {
        {"avx2", avx2},
        {"avxvnni", with(avx2, {&CpuFeatures::avxvnni})},
        {"avx512", avx512},
        {"avx512vnni", with(avx512, {&CpuFeatures::avx512vnni})},
        {"neondot", {&CpuFeatures::dotprod}},
        {"neoni8mm", {&CpuFeatures::dotprod, &CpuFeatures::i8mm}},
    };
    for (const auto& [name, features] : wanted)
        for (const Kernels* kernels : all_kernels()) {
            if (kernels->name != name) continue;
            CpuFeatures cpu;
            for (const Feature feature : features) cpu.*feature = true;
            CHECK(kernels->supported(cpu));
            for (const Feature feature : features) {
                CpuFeatures less = cpu;
                less.*feature = false;
                CHECK(!kernels->supported(less));
            }
        }
}

TEST(kernels_dispatch) {
    CHECK_EQ(std::string(all_kernels().back()->name), std::string("scalar"));
    for (const Kernels* kernels : supported_kernels()) {
        CHECK(&kernels_by_name(kernels->name) == kernels);
        CHECK(kernels->supported(detect_cpu_features()));
        // What other sets offer can be asked for on their machines only.
        for (const Kernels* other : supported_kernels())
            if (other != kernels)
                for (const Arithmetic arithmetic : {Arithmetic::q8, Arithmetic::int16}) {
                    const auto multiply = kernels->prompt(DType::Q4_0, arithmetic).multiply;
                    CHECK(!multiply || other->prompt(DType::Q4_0, arithmetic).multiply != multiply);
                }
    }
    for (const Kernels* kernels : all_kernels()) {
        const std::string name = kernels->name;
        CHECK(kernels->supported(CpuFeatures{}) == (name == "scalar" || name == "neon"));
    }
    CHECK_THROWS(kernels_by_name("sse9"), isa);
    const char* forced = std::getenv("NEOX_FORCE_ISA");
    if (forced && *forced != '\0') {
        CHECK_EQ(std::string(active_kernels().name), std::string(forced));
    } else {
        CHECK(&active_kernels() == supported_kernels().front());
    }
}
