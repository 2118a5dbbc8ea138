// neox_bench load: from a file in the page cache to the first token, beside what reading the file alone takes.
#pragma once

#include <string>

void bench_load(const std::string& path, int n_rounds);
