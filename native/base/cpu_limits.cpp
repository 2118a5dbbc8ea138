#include "base/cpu_limits.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"

namespace neox {
namespace {

// More CPUs than any Linux has.
constexpr int kMostCpus = 8192;

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

bool has_word(const std::string& list, const std::string& word) {
    return text(",", list, ",").find(text(",", word, ",")) != std::string::npos;
}

// mountinfo writes blanks, newlines and backslashes as a backslash and three octal digits.
std::string unescape(const std::string& field) {
    std::string plain;
    for (std::size_t i = 0; i < field.size(); ++i) {
        unsigned code = 0;
        const char* digits = field.data() + i + 1;
        if (field[i] == '\\' && field.size() - i > 3 &&
            std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
            plain += static_cast<char>(code);
            i += 3;
        } else {
            plain += field[i];
        }
    }
    return plain;
}

// Where a hierarchy of control groups is mounted, and which group is the mount's root.
struct Mount {
    std::string point, group;
};

// The hierarchy of a version 1 controller, or with "" that of version 2.
std::optional<Mount> find_mount(const std::string& root, const std::string& controller) {
    std::ifstream in(root + "/proc/self/mountinfo");
    for (std::string line; std::getline(in, line);) {
        // id parent device group point options [fields ...] - type source options
        std::istringstream words(line);
        const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
        if (controller.empty() ? dash[1] == "cgroup2" : dash[1] == "cgroup" && has_word(dash[3], controller))
            return Mount{unescape(fields[4]), unescape(fields[3])};
    }
    return std::nullopt;
}

// The path of the process's group in a hierarchy.
std::optional<std::string> find_group(const std::string& root, const std::string& controller) {
    std::ifstream in(root + "/proc/self/cgroup");
    for (std::string line; std::getline(in, line);) {
        // number:controllers:path
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? controllers.empty() : has_word(controllers, controller))
            return line.substr(second + 1);
    }
    return std::nullopt;
}

// The folders of the process's group and its parents as far as they can be seen, the group's own first.
std::vector<std::string> group_folders(const std::string& root, const std::string& controller) {
    const auto mount = find_mount(root, controller);
    auto group = find_group(root, controller);
    if (!mount || !group) return {};
    // In a container the mount may begin at the container's own group; a group outside of it cannot be seen.
    if (mount->group != "/")
        *group = (*group + "/").starts_with(mount->group + "/") ? group->substr(mount->group.size()) : "";
    if (group->starts_with("/..")) group->clear();
    while (group->ends_with('/')) group->pop_back();
    std::vector<std::string> folders;
    for (;;) {
        folders.push_back(root + mount->point + *group);
        const std::size_t slash = group->rfind('/');
        if (slash == std::string::npos) return folders;
        group->resize(slash);
    }
}

// "50000 100000" -> 0.5; "max 100000" and what is malformed -> 0.
double cpus_of(const std::string& line) {
    std::istringstream words(line);
    double quota = 0, period = 0;
    return words >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

}  // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
    std::vector<bool> is_listed(kMostCpus);
    const char* end = text.data() + text.size();
    for (const char* at = text.data(); at < end;) {
        int first = 0;
        auto parsed = std::from_chars(at, end, first);
        if (parsed.ec != std::errc()) break;
        int last = first;
        if (parsed.ptr < end && *parsed.ptr == '-') {
            parsed = std::from_chars(parsed.ptr + 1, end, last);
            if (parsed.ec != std::errc()) break;
        }
        for (int cpu = std::max(first, 0); cpu <= std::min(last, kMostCpus - 1); ++cpu)
            is_listed[static_cast<std::size_t>(cpu)] = true;
        at = parsed.ptr;
        if (at < end && *at != ',') break;
        ++at;
    }
    std::vector<int> cpus;
    for (int cpu = 0; cpu < kMostCpus; ++cpu)
        if (is_listed[static_cast<std::size_t>(cpu)]) cpus.push_back(cpu);
    return cpus;
}

std::vector<int> cpuset_cpus(const std::string& root) {
    for (const auto& [controller, names] :
         {std::pair<std::string, std::vector<std::string>>{"", {"cpuset.cpus.effective"}},
          {"cpuset", {"cpuset.effective_cpus", "cpuset.cpus"}}})
        for (const std::string& folder : group_folders(root, controller))
            for (const std::string& name : names)
                if (auto cpus = parse_cpu_list(first_line(folder + "/" + name)); !cpus.empty()) return cpus;
    return {};
}

double cpu_quota(const std::string& root) {
    double least = 0;
    const auto keep = [&](double cpus) {
        if (cpus > 0 && (least == 0 || cpus < least)) least = cpus;
    };
    for (const std::string& folder : group_folders(root, "")) keep(cpus_of(first_line(folder + "/cpu.max")));
    for (const std::string& folder : group_folders(root, "cpu"))
        keep(cpus_of(first_line(folder + "/cpu.cfs_quota_us") + " " +
                     first_line(folder + "/cpu.cfs_period_us")));
    return least;
}

int count_cores(const std::string& root, const std::vector<int>& cpus) {
    std::set<std::string> cores;
    for (const int cpu : cpus) {
        // The threads of one core share the line that lists them.
        const std::string siblings =
            first_line(text(root, "/sys/devices/system/cpu/cpu", cpu, "/topology/thread_siblings_list"));
        cores.insert(siblings.empty() ? text("cpu", cpu) : siblings);
    }
    return static_cast<int>(cores.size());
}

int usable_cores(const std::string& root, const std::vector<int>& affinity) {
    std::vector<int> cpus = affinity;
    const std::vector<int> cpuset = cpuset_cpus(root);
    std::erase_if(cpus,
                  [&](int cpu) { return std::find(cpuset.begin(), cpuset.end(), cpu) == cpuset.end(); });
    const int cores = count_cores(root, cpus.empty() ? affinity : cpus);
    const double quota = cpu_quota(root);
    if (quota > 0 && (cores == 0 || quota < cores)) return std::max(static_cast<int>(quota), 1);
    return cores;
}

}  // namespace neox
