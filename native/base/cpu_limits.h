// What Linux says of the CPUs that a process may use: the cores they belong to, and the limits of its control groups. Only
// files are read, below `root`: "" is the system itself, tests give a folder that looks like it. What is missing or
// malformed does not limit.
#pragma once

#include <string>
#include <vector>

namespace neox {

// "0-3,8" -> 0, 1, 2, 3, 8.
std::vector<int> parse_cpu_list(const std::string& text);

// The CPUs of the cpuset of the process's group (version 1 or 2); empty: all.
std::vector<int> cpuset_cpus(const std::string& root);

// How many CPUs' time the quotas of the process's groups and their parents leave it, the least of them (version 1:
// cpu.cfs_quota_us, version 2: cpu.max); 0: as many as there are.
double cpu_quota(const std::string& root);

// Physical cores that `cpus` belong to. Hardware threads of one core count once.
int count_cores(const std::string& root, const std::vector<int>& cpus);

// Cores for a process that may run on `affinity`: those in its cpuset, at most its quota rounded down, and at least 1.
// 0 when affinity is empty and there is no quota.
int usable_cores(const std::string& root, const std::vector<int>& affinity);

}  // namespace neox
