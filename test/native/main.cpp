// neox_test [word...]      runs the tests whose name contains one of the words, all without any
// neox_test --list         prints the names of the tests
// neox_test --list-isa     prints the instruction sets that this machine can run, best first
// neox_test --list-kernels         prints "<set> <function>" for every function that --break takes
// neox_test --break <set> <function> [word...]   takes the body out of that function and stops at the first failure
// The first line is "isa <name>", the instruction set in use; then each test gives a line "ok <name>" or
// "FAIL <name>: <reason>"; the last line is "N passed, N failed". A bad NEOX_FORCE_ISA ends the program with 2.

#include <cstdio>
#include <cstring>
#include <string>

#include "break_kernel.h"
#include "kernels/dispatch.h"
#include "run_tests.h"

namespace {

int list(const char* what) {
    if (std::strcmp(what, "--list") == 0) {
        for (const neox_check::Test& test : neox_check::tests()) std::printf("%s\n", test.name);
        return 0;
    }
    for (const neox::Kernels* kernels : neox::supported_kernels()) {
        if (std::strcmp(what, "--list-isa") == 0) {
            std::printf("%s\n", kernels->name);
        } else {
            for (const std::string& name : break_kernel::names(*kernels))
                std::printf("%s %s\n", kernels->name, name.c_str());
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // so that a crash still tells which test came last
    if (argc > 1 && std::strncmp(argv[1], "--list", 6) == 0) return list(argv[1]);
    const bool is_broken = argc > 3 && std::strcmp(argv[1], "--break") == 0;
    try {
        if (is_broken && !break_kernel::apply(neox::kernels_by_name(argv[2]), argv[3])) {
            std::printf("%s has no function \"%s\".\n", argv[2], argv[3]);
            return 2;
        }
        std::printf("isa %s\n", neox::active_kernels().name);
    } catch (const neox::Error& error) {
        std::printf("%s: %s\n", neox::error_code_name(error.code()), error.what());
        return 2;
    }
    const int first_word = is_broken ? 4 : 1;
    return neox_check::run_tests(argv + first_word, argc - first_word, is_broken);
}
