// Runs what TEST registered: a line "ok <name>" or "FAIL <name>: <reason>" each, and "N passed, N failed" at the end.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>

#include "check.h"

namespace neox_check {

inline bool run(const Test& test) {
    try {
        test.run();
    } catch (const std::exception& error) {
        std::printf("FAIL %s: %s\n", test.name, error.what());
        return false;
    }
    std::printf("ok %s\n", test.name);
    return true;
}

inline bool is_chosen(const char* name, char** words, int n_words) {
    for (int i = 0; i < n_words; ++i)
        if (std::strstr(name, words[i]) != nullptr) return true;
    return n_words == 0;
}

// Those whose name contains one of the words, all without any. The program's exit code.
inline int run_tests(char** words, int n_words, bool stops_at_failure = false) {
    int n_passed = 0;
    int n_failed = 0;
    for (const Test& test : tests()) {
        if (!is_chosen(test.name, words, n_words)) continue;
        (run(test) ? n_passed : n_failed) += 1;
        if (stops_at_failure && n_failed > 0) break;
    }
    std::printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed == 0 && n_passed > 0 ? 0 : 1;
}

}  // namespace neox_check
