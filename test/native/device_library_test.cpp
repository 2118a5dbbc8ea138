// Libraries that are no device: each is refused with its reason, and nothing of the process is lost. Those that are one are
// tried through the addon (test/integration/devices.test.ts).
#include "model/device_library.h"

#include <string>

#include "check.h"
#include "fixtures.h"
#include "scratch.h"

namespace {

using namespace neox;

std::string refusal(const std::string& path) {
    try {
        open_device_library(path, "0.1.0");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::backend);
        return error.what();
    }
    return "none";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(device_library_absent_or_no_library_is_a_typed_error) {
    const scratch::Folder folder;
    CHECK(has(refusal(""), "absolute path"));
    CHECK(has(refusal("libneox_cuda.so"), "absolute path"));
    CHECK(has(refusal(folder / "absent.so"), "absent.so"));
    scratch::write(folder / "text.so", "no library at all");
    CHECK(has(refusal(folder / "text.so"), "cannot be loaded: "));
    CHECK(has(refusal(folder.path()), folder.path()));
}

TEST(device_library_probe_of_the_cpu_is_usable) {
    const DeviceProbe probe = probe_device(cpu_device());
    CHECK_EQ(probe.is_usable, 1);
    CHECK_EQ(std::string(probe.name), "CPU");
    CHECK(std::string(probe.driver) != "");
    CHECK_EQ(std::string(probe.reason), "");
}

TEST(device_library_probe_that_fails_is_a_typed_error) {
    Device device = cpu_device();
    device.probe = [](const void*, DeviceProbe*) { return make_status(ErrorCode::internal, "no answer"); };
    CHECK_THROWS(probe_device(device), backend);
}
