#include "kernels/cpu_features.h"

#include <cstddef>
#include <cstdint>

#if defined(_M_X64)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#elif defined(_M_ARM64)
#include <windows.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace neox {

#if defined(__x86_64__) || defined(_M_X64)
namespace {

struct Registers {
    std::uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
    Registers r{};
#if defined(_M_X64)
    int out[4];
    __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
    r = {static_cast<std::uint32_t>(out[0]), static_cast<std::uint32_t>(out[1]),
         static_cast<std::uint32_t>(out[2]), static_cast<std::uint32_t>(out[3])};
#else
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
    return r;
}

// Register sets that the operating system saves (XCR0).
std::uint64_t saved_state() {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    std::uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<std::uint64_t>(high) << 32 | low;
#endif
}

bool bit(std::uint32_t value, int index) { return (value >> index & 1u) != 0; }

}  // namespace

CpuFeatures detect_cpu_features() {
    CpuFeatures cpu;
    if (cpuid(0, 0).eax < 7) return cpu;
    const Registers one = cpuid(1, 0);
    const bool has_osxsave = bit(one.ecx, 27);
    if (!has_osxsave || !bit(one.ecx, 28)) return cpu;
    const std::uint64_t saved = saved_state();
    if ((saved & 0x6) != 0x6) return cpu;  // XMM and YMM
    const Registers seven = cpuid(7, 0);
    cpu.fma = bit(one.ecx, 12);
    cpu.f16c = bit(one.ecx, 29);
    cpu.avx2 = bit(seven.ebx, 5);
    cpu.avxvnni = seven.eax >= 1 && bit(cpuid(7, 1).eax, 4);
    if ((saved & 0xe6) != 0xe6) return cpu;  // also mask registers and both halves of ZMM
    cpu.avx512f = bit(seven.ebx, 16);
    cpu.avx512dq = bit(seven.ebx, 17);
    cpu.avx512bw = bit(seven.ebx, 30);
    cpu.avx512vl = bit(seven.ebx, 31);
    cpu.avx512vnni = bit(seven.ecx, 11);
    return cpu;
}

#elif defined(_M_ARM64)

// The numbers of PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE and PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE in winnt.h, which
// older SDKs do not name; an older system answers no.
CpuFeatures detect_cpu_features() {
    CpuFeatures cpu;
    cpu.dotprod = IsProcessorFeaturePresent(43) != 0;
    cpu.i8mm = IsProcessorFeaturePresent(66) != 0;
    return cpu;
}

#elif defined(__aarch64__) && defined(__APPLE__)
namespace {

bool has(const char* name) {
    int value = 0;
    std::size_t size = sizeof(value);
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

CpuFeatures detect_cpu_features() {
    CpuFeatures cpu;
    cpu.dotprod = has("hw.optional.arm.FEAT_DotProd");
    cpu.i8mm = has("hw.optional.arm.FEAT_I8MM");
    return cpu;
}

#elif defined(__aarch64__) && defined(__linux__)

// HWCAP_ASIMDDP and HWCAP2_I8MM of the kernel's interface for 64-bit ARM, which older headers do not name.
CpuFeatures detect_cpu_features() {
    CpuFeatures cpu;
    cpu.dotprod = (getauxval(AT_HWCAP) >> 20 & 1) != 0;
    cpu.i8mm = (getauxval(AT_HWCAP2) >> 13 & 1) != 0;
    return cpu;
}

#else

CpuFeatures detect_cpu_features() { return {}; }

#endif

}  // namespace neox
