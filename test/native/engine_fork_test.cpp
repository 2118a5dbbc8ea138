// An engine in a process that fork() made: its thread is not there, so that nothing may wait for it.
#ifndef _WIN32

#include <sys/wait.h>
#include <unistd.h>

#include "engine_rig.h"

using namespace neox;
using namespace engine_test;

namespace {

// In the child, which must not run the parent's destructors. 0 when everything was as it should be.
int use_after_fork(Rig& rig, const std::shared_ptr<Sequence>& sequence) {
    alarm(10);  // a wait for the thread that is not there ends by a signal
    const std::string expected = error_code_name(ErrorCode::unsupported);
    if (neox_check::code_thrown_by([&] { rig.engine->create_sequence(); }) != expected) return 1;
    CallRequest request;
    request.sequence = sequence;
    request.prompt.push_back({{1, 2}, {}});
    request.max_new_tokens = 1;
    if (neox_check::code_thrown_by([&] { rig.engine->submit(std::move(request)); }) != expected) return 2;
    rig.engine->stop();
    CHECK(rig.engine->is_of_another_process());
    return 0;
}

}  // namespace

TEST(engine_refuses_calls_after_fork_and_stops_without_its_thread) {
    Rig rig;
    const auto sequence = rig.engine->create_sequence();
    const std::vector<Token> before = rig.generate({1, 2}, 3);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(use_after_fork(rig, sequence));
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    CHECK(rig.generate({1, 2}, 3) == before);
}

#endif
