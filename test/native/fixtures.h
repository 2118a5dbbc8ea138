// Where the committed files of the tests are.
#pragma once

#include <string>

namespace golden {

// The path of test/fixtures/<name>.
std::string fixture(const std::string& name);

}  // namespace golden
