#include "fixtures.h"

// The only file that knows the folder of the checkout: a compiler cache serves all others to every checkout.
std::string golden::fixture(const std::string& name) { return std::string(NEOX_FIXTURES) + "/" + name; }
