// What the processor has and the operating system saves; nothing else.
#pragma once

namespace neox {

struct CpuFeatures {
    // x86-64
    bool avx2 = false;
    bool avxvnni = false;  // in its VEX form
    bool fma = false;
    bool f16c = false;
    bool avx512f = false;
    bool avx512bw = false;
    bool avx512vl = false;
    bool avx512dq = false;
    bool avx512vnni = false;
    // 64-bit ARM, where every processor has NEON
    bool dotprod = false;
    bool i8mm = false;
};

// A vector feature is set only when the operating system also saves the registers it needs. Those of other processors
// are false.
CpuFeatures detect_cpu_features();

}  // namespace neox
