// neox_test [word]      runs the tests whose name contains the word, all without one
// neox_test --list      prints the names of the tests
// neox_test --list-isa  prints the instruction sets that this machine can run, best first
// The first line is "isa <name>", the instruction set in use; then each test gives a line "ok <name>" or
// "FAIL <name>: <reason>"; the last line is "N passed, N failed". A bad NEOX_FORCE_ISA ends the program with 2.

#include <cstdio>
#include <cstring>
#include <exception>

#include "check.h"
#include "kernels/dispatch.h"

namespace {

bool run(const neox_check::Test& test) {
    try {
        test.run();
    } catch (const std::exception& error) {
        std::printf("FAIL %s: %s\n", test.name, error.what());
        return false;
    }
    std::printf("ok %s\n", test.name);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // so that a crash still tells which test came last
    const char* word = argc > 1 ? argv[1] : "";
    if (std::strcmp(word, "--list-isa") == 0) {
        for (const neox::Kernels* kernels : neox::supported_kernels()) std::printf("%s\n", kernels->name);
        return 0;
    }
    if (std::strcmp(word, "--list") == 0) {
        for (const neox_check::Test& test : neox_check::tests()) std::printf("%s\n", test.name);
        return 0;
    }
    try {
        std::printf("isa %s\n", neox::active_kernels().name);
    } catch (const neox::Error& error) {
        std::printf("%s: %s\n", neox::error_code_name(error.code()), error.what());
        return 2;
    }
    int n_passed = 0;
    int n_failed = 0;
    for (const neox_check::Test& test : neox_check::tests()) {
        if (std::strstr(test.name, word) == nullptr) continue;
        (run(test) ? n_passed : n_failed) += 1;
    }
    std::printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed == 0 && n_passed > 0 ? 0 : 1;
}
