// neox_cuda_test [word...]   runs the tests whose name contains one of the words, all without any; the last line is
// "N passed, N failed".
// neox_cuda_test --list      prints the names of the tests
#include <cstdio>
#include <cstring>

#include "run_tests.h"

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // so that a crash still tells which test came last
    if (argc > 1 && std::strcmp(argv[1], "--list") == 0) {
        for (const neox_check::Test& test : neox_check::tests()) std::printf("%s\n", test.name);
        return 0;
    }
    return neox_check::run_tests(argv + 1, argc - 1);
}
