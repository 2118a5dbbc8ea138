#include "base/physical_cores.h"

#include <algorithm>
#include <thread>

#if defined(__linux__)
#include <sched.h>

#include <vector>

#include "base/cpu_limits.h"
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>

#include <vector>
#endif

namespace neox {
namespace {

#if defined(__linux__)

int system_cores() {
    constexpr int kMostCpus = 8192;
    cpu_set_t* set = CPU_ALLOC(kMostCpus);
    if (!set) return 0;
    const std::size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
    CPU_ZERO_S(bytes, set);
    std::vector<int> affinity;
    if (sched_getaffinity(0, bytes, set) == 0)
        for (int cpu = 0; cpu < kMostCpus; ++cpu)
            if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) affinity.push_back(cpu);
    CPU_FREE(set);
    return usable_cores("", affinity);
}

#elif defined(__APPLE__)

// The performance cores where there are two kinds.
int system_cores() {
    for (const char* name : {"hw.perflevel0.physicalcpu", "hw.physicalcpu"}) {
        int value = 0;
        std::size_t size = sizeof(value);
        if (sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value > 0) return value;
    }
    return 0;
}

#elif defined(_WIN32)

// The share of all processors' time that the process's job may take at most, in percent / 100; 10,000 without a limit.
unsigned job_rate() {
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION info{};
    if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &info, sizeof(info), nullptr))
        return 10000;
    constexpr DWORD kCapped = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    return (info.ControlFlags & kCapped) == kCapped ? info.CpuRate : 10000;
}

int system_cores() {
    // A job's affinity is part of its processes'.
    DWORD_PTR process = 0, system = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &system)) return 0;
    DWORD bytes = 0;
    GetLogicalProcessorInformation(nullptr, &bytes);
    std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> table(
        bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION) + 1);
    bytes = static_cast<DWORD>(table.size() * sizeof(table[0]));
    if (!GetLogicalProcessorInformation(table.data(), &bytes)) return 0;
    table.resize(bytes / sizeof(table[0]));
    // The mask is 0 when the process spans several processor groups, and then says nothing.
    int count = 0;
    for (const auto& entry : table)
        if (entry.Relationship == RelationProcessorCore && (process == 0 || (entry.ProcessorMask & process)))
            ++count;
    const unsigned rate = job_rate();
    if (rate >= 10000) return count;
    const auto quota =
        static_cast<int>(std::uint64_t{rate} * GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) / 10000);
    return count == 0 ? std::max(quota, 1) : std::clamp(quota, 1, count);
}

#else

int system_cores() { return 0; }

#endif

}  // namespace

int usable_physical_cores() {
    const int cores = system_cores();
    return cores > 0 ? cores : std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

}  // namespace neox
