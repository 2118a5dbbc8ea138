// The default number of threads, over folders that look like a system's root.
#include "base/cpu_limits.h"

#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "scratch.h"

namespace {

using namespace neox;

struct Root {
    scratch::Folder folder;

    Root(std::initializer_list<std::pair<const char*, const char*>> files) {
        for (const auto& [name, text] : files) {
            const std::filesystem::path path = folder / name;
            std::filesystem::create_directories(path.parent_path());
            scratch::write(path.string(), std::string(text) + "\n");
        }
    }
    double quota() const { return cpu_quota(folder.path()); }
    int cores(const std::vector<int>& affinity) const { return usable_cores(folder.path(), affinity); }
};

const std::vector<int> kEight = {0, 1, 2, 3, 4, 5, 6, 7};

constexpr const char* kV2 = "30 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";

TEST(cpu_lists) {
    const std::pair<const char*, std::vector<int>> cases[] = {
        {"0-3,8", {0, 1, 2, 3, 8}}, {"5", {5}},   {"", {}},     {"3-1", {}},         {"x", {}}, {"1,", {1}},
        {"1,2x", {1, 2}},           {"0-,4", {}}, {"7\n", {7}}, {"99999999999", {}},
    };
    for (const auto& [text, cpus] : cases)
        if (parse_cpu_list(text) != cpus) neox_check::failed(__FILE__, __LINE__, "list ", text);
    // In bounded time and memory.
    CHECK(parse_cpu_list("0-2000000000").size() <= 8192);
    std::string again;
    for (int i = 0; i < 50; ++i) again += "0-8191,";
    CHECK_EQ(parse_cpu_list(again).size(), std::size_t{8192});
}

TEST(cpu_quota_of_version_2_is_rounded_down_to_at_least_one_thread) {
    const struct {
        const char* line;
        double quota;
        int cores;
    } cases[] = {
        {"50000 100000", 0.5, 1},
        {"100000 100000", 1, 1},
        {"199999 100000", 1.99999, 1},
        {"300000 100000", 3, 3},
        {"max 100000", 0, 8},
        {"1600000 100000", 16, 8},
        {"0 100000", 0, 8},
        {"100000 0", 0, 8},
        {"100000", 0, 8},
        {"-100000 100000", 0, 8},
        {"", 0, 8},
    };
    for (const auto& [line, quota, cores] : cases) {
        const Root root{{"proc/self/mountinfo", kV2},
                        {"proc/self/cgroup", "0::/job"},
                        {"sys/fs/cgroup/job/cpu.max", line}};
        CHECK_EQ(root.quota(), quota);
        CHECK_EQ(root.cores(kEight), cores);
    }
}

TEST(cpu_quota_behind_a_mount_with_a_blank_in_its_path) {
    const Root root{{"proc/self/mountinfo", "30 23 0:28 / /a\\040b\\134c rw - cgroup2 cgroup2 rw"},
                    {"proc/self/cgroup", "0::/job"},
                    {"a b\\c/job/cpu.max", "50000 100000"}};
    CHECK_EQ(root.quota(), 0.5);
}

TEST(cpu_quota_of_nested_groups_is_the_least_on_the_way_up) {
    for (const char* inner : {"max 100000", "400000 100000", "150000 50000"}) {
        const Root root{{"proc/self/mountinfo", kV2},
                        {"proc/self/cgroup", "0::/user.slice/app.slice/job"},
                        {"sys/fs/cgroup/user.slice/cpu.max", "200000 100000"},
                        {"sys/fs/cgroup/user.slice/app.slice/cpu.max", "max 100000"},
                        {"sys/fs/cgroup/user.slice/app.slice/job/cpu.max", inner},
                        {"sys/fs/cgroup/user.slice/other/cpu.max", "100000 100000"}};
        CHECK_EQ(root.quota(), 2.0);
        CHECK_EQ(root.cores(kEight), 2);
    }
}

// As Docker shows it: with a namespace of its own the group is "/", without one the mount begins at the group.
TEST(cpu_quota_inside_containers) {
    const Root own{{"proc/self/mountinfo", kV2},
                   {"proc/self/cgroup", "0::/"},
                   {"sys/fs/cgroup/cpu.max", "300000 100000"}};
    CHECK_EQ(own.quota(), 3.0);
    const Root shared{
        {"proc/self/mountinfo", "30 23 0:28 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw"},
        {"proc/self/cgroup", "0::/docker/4f2a/init"},
        {"sys/fs/cgroup/cpu.max", "500000 100000"},
        {"sys/fs/cgroup/init/cpu.max", "200000 100000"}};
    CHECK_EQ(shared.quota(), 2.0);
    // Groups of the same beginning, and groups above the namespace.
    for (const char* group : {"0::/docker/4f2ab", "0::/../..", "0::/docker"}) {
        const Root outside{
            {"proc/self/mountinfo", "30 23 0:28 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw"},
            {"proc/self/cgroup", group},
            {"sys/fs/cgroup/cpu.max", "600000 100000"},
            {"sys/fs/cgroup/b/cpu.max", "100000 100000"}};
        CHECK_EQ(outside.quota(), 6.0);
    }
}

TEST(cpu_quota_of_version_1) {
    const Root root{{"proc/self/mountinfo",
                     "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                     "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"},
                    {"proc/self/cgroup", "5:memory:/job\n4:cpu,cpuacct:/outer/job\n1:name=systemd:/"},
                    {"sys/fs/cgroup/cpu,cpuacct/outer/job/cpu.cfs_quota_us", "-1"},
                    {"sys/fs/cgroup/cpu,cpuacct/outer/job/cpu.cfs_period_us", "100000"},
                    {"sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us", "250000"},
                    {"sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us", "100000"}};
    CHECK_EQ(root.quota(), 2.5);
    CHECK_EQ(root.cores(kEight), 2);
}

TEST(cpusets_limit_what_the_affinity_allows) {
    const Root v2{{"proc/self/mountinfo", kV2},
                  {"proc/self/cgroup", "0::/job"},
                  {"sys/fs/cgroup/job/cpuset.cpus.effective", "2-4,7"}};
    CHECK(cpuset_cpus(v2.folder.path()) == (std::vector<int>{2, 3, 4, 7}));
    CHECK_EQ(v2.cores(kEight), 4);
    CHECK_EQ(v2.cores({0, 1, 2, 3}), 2);
    CHECK_EQ(v2.cores({0, 1}), 2);  // they contradict each other: the system's own word counts
    const Root v1{{"proc/self/mountinfo", "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset"},
                  {"proc/self/cgroup", "3:cpuset:/job"},
                  {"sys/fs/cgroup/cpuset/cpuset.cpus", "0-7"},
                  {"sys/fs/cgroup/cpuset/job/cpuset.cpus", "0-2"}};
    CHECK_EQ(v1.cores(kEight), 3);
}

TEST(hardware_threads_of_one_core_count_once) {
    const Root root{{"sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,4"},
                    {"sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,5"},
                    {"sys/devices/system/cpu/cpu4/topology/thread_siblings_list", "0,4"},
                    {"sys/devices/system/cpu/cpu5/topology/thread_siblings_list", "1,5"}};
    CHECK_EQ(root.cores({0, 1, 4, 5}), 2);
    CHECK_EQ(root.cores({0, 4}), 1);
    CHECK_EQ(root.cores({1, 4}), 2);
    CHECK_EQ(root.cores({0, 2, 3}), 3);  // what says nothing of itself is a core
}

TEST(a_system_that_says_nothing_does_not_limit) {
    const Root empty{};
    CHECK_EQ(empty.quota(), 0.0);
    CHECK_EQ(empty.cores(kEight), 8);
    CHECK_EQ(empty.cores({}), 0);
    const Root malformed{
        {"proc/self/mountinfo", "30 23 - cgroup2\n\nnonsense - \n30 23 0:28 / /sys/fs/cgroup rw -"},
        {"proc/self/cgroup", "0:\n:\n0::/job"},
        {"sys/fs/cgroup/job/cpu.max", "100000 100000"}};
    CHECK_EQ(malformed.quota(), 0.0);
}

}  // namespace
