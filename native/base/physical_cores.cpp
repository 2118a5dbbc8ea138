#include "base/physical_cores.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#if defined(__linux__)
#include <sched.h>

#include <fstream>
#include <set>
#include <string>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>

#include <vector>
#endif

#include "base/error.h"

namespace neox {
namespace {

#if defined(__linux__)

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

// Hardware threads of one core share the line that lists them.
int physical_cores() {
    constexpr int kMostCpus = 4096;
    cpu_set_t* set = CPU_ALLOC(kMostCpus);
    if (!set) return 0;
    const std::size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
    CPU_ZERO_S(bytes, set);
    std::set<std::string> cores;
    if (sched_getaffinity(0, bytes, set) == 0) {
        for (int cpu = 0; cpu < kMostCpus; ++cpu) {
            if (!CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) continue;
            const std::string siblings =
                first_line(text("/sys/devices/system/cpu/cpu", cpu, "/topology/thread_siblings_list"));
            cores.insert(siblings.empty() ? text("cpu", cpu) : siblings);
        }
    }
    CPU_FREE(set);
    return static_cast<int>(cores.size());
}

// "max 100000" or "150000 100000" (cgroup v2) -> CPUs, 0 without a limit.
double cpus_of_v2(const std::string& line) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos || line.compare(0, 3, "max") == 0) return 0;
    const double quota = std::strtod(line.c_str(), nullptr);
    const double period = std::strtod(line.c_str() + space, nullptr);
    return quota > 0 && period > 0 ? quota / period : 0;
}

double cpus_of_v1(const std::string& folder) {
    const double quota = std::strtod(first_line(text(folder, "/cpu.cfs_quota_us")).c_str(), nullptr);
    const double period = std::strtod(first_line(text(folder, "/cpu.cfs_period_us")).c_str(), nullptr);
    return quota > 0 && period > 0 ? quota / period : 0;
}

void keep_smaller(double& limit, double cpus) {
    if (cpus > 0 && (limit == 0 || cpus < limit)) limit = cpus;
}

// The smallest quota of the group and its parents, 0 without one. Inside a container the path may not exist
// under the mount; the mount's root then is the container's own group.
double quota_cpus() {
    double limit = 0;
    std::ifstream in("/proc/self/cgroup");
    for (std::string line; std::getline(in, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = text(",", line.substr(first + 1, second - first - 1), ",");
        const bool is_v2 = controllers == ",,";
        if (!is_v2 && controllers.find(",cpu,") == std::string::npos) continue;
        const char* mount = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        for (std::string path = line.substr(second + 1);;) {
            const std::string folder = text(mount, path);
            keep_smaller(limit,
                         is_v2 ? cpus_of_v2(first_line(text(folder, "/cpu.max"))) : cpus_of_v1(folder));
            const std::size_t slash = path.rfind('/');
            if (slash == std::string::npos) break;
            path.resize(slash);
        }
    }
    return limit;
}

#elif defined(__APPLE__)

int physical_cores() {
    for (const char* name : {"hw.perflevel0.physicalcpu", "hw.physicalcpu"}) {
        int value = 0;
        std::size_t size = sizeof(value);
        if (sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value > 0) return value;
    }
    return 0;
}

double quota_cpus() { return 0; }

#elif defined(_WIN32)

int physical_cores() {
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
    return count;
}

double quota_cpus() { return 0; }

#else

int physical_cores() { return 0; }
double quota_cpus() { return 0; }

#endif

}  // namespace

int usable_physical_cores() {
    int cores = physical_cores();
    if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
    const double quota = quota_cpus();
    if (quota > 0 && quota < cores) cores = static_cast<int>(quota);
    return std::max(cores, 1);
}

}  // namespace neox
