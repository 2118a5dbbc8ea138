// How many cores this process may really use.
#pragma once

namespace neox {

// Physical cores among the CPUs that this process may run on (macOS: performance cores), at most the quota of its control
// groups (Windows: of its job) rounded down; at least 1. What cannot be found out does not limit.
int usable_physical_cores();

}  // namespace neox
