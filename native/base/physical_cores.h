// How many cores this process may really use.
#pragma once

namespace neox {

// Physical cores among the CPUs that this process may run on, limited by its control group's quota (rounded
// down); at least 1. What cannot be found out does not limit.
int usable_physical_cores();

}  // namespace neox
