// What the processor has and the operating system saves; nothing else.
#pragma once

namespace neox {

struct CpuFeatures {
    bool avx2 = false;
    bool fma = false;
    bool f16c = false;
    bool avx512f = false;
    bool avx512bw = false;
    bool avx512vl = false;
    bool avx512dq = false;
    bool avx512vnni = false;
};

// A vector feature is set only when the operating system also saves the registers it needs. All false where
// the processor is no x86-64.
CpuFeatures detect_cpu_features();

}  // namespace neox
