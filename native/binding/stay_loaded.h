// Threads of ours may still run when Node unloads addons, as it does when a worker ends.
#pragma once

namespace neox {

// Keeps the addon in memory until the process ends; false where the loader refuses. Any thread, any number of times.
// On Linux the linker's nodelete does it, on Windows node_windows.cpp.
[[nodiscard]] bool stay_loaded() noexcept;

}  // namespace neox
