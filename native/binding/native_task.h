// Long work on a thread of its own (never libuv's pool, which is small and whose queue delays the end of an environment),
// with a cancel flag, progress, and a promise that is settled on the JavaScript thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/thread.h"
#include "binding/channel.h"
#include "binding/napi_setup.h"

namespace neox {

// Hands freed memory back that glibc would keep, but for the ends of arenas, which malloc_trim() leaves as they are: see
// docs/reliability.md, promise 5. Takes up to milliseconds: not on the JavaScript thread.
void return_free_memory() noexcept;

// What work sees of its task. Any thread.
struct TaskControl {
    std::atomic<bool> cancel{false};
    std::atomic<std::uint64_t> done{0}, total{0};
    std::shared_ptr<Channel> channel;

    // Reports are coalesced: JavaScript sees the latest.
    void progress(std::uint64_t now, std::uint64_t of);
};

// Makes the promise's value; runs on the JavaScript thread.
using TaskResult = std::function<Napi::Value(Napi::Env env)>;
// Runs on the task's thread and may throw; it must not touch JavaScript.
using TaskWork = std::function<TaskResult(TaskControl& control)>;

// The tasks of one environment. JavaScript thread only.
class TaskList {
public:
    explicit TaskList(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}

    // A promise of the work's result.
    Napi::Promise start(Napi::Env env, TaskWork work);
    // { promise, cancel() }: work that looks at control.cancel and reports progress to `on_progress(done, total)` (a
    // function or undefined). Such work is waited for when the environment ends.
    Napi::Object start_job(Napi::Env env, Napi::Value on_progress, TaskWork work);

    // After a wake-up: calls progress functions, settles what has finished.
    void settle(Napi::Env env);
    // From the cleanup hook: cancels everything and waits for what can be cancelled. The rest runs on without an
    // environment; its result is dropped.
    void shut_down() noexcept;

private:
    struct Task {
        TaskControl control;
        Thread thread;
        bool is_job = false;
        std::atomic<bool> is_finished{false};
        TaskResult result;           // set before is_finished
        std::optional<Error> error;  // set before is_finished
        // JavaScript thread:
        napi_deferred deferred = nullptr;
        Napi::FunctionReference on_progress;
        std::uint64_t reported = 0;
    };

    std::shared_ptr<Task> launch(Napi::Env env, TaskWork work, bool is_job, Napi::Value on_progress,
                                 napi_value* promise);
    void settle_one(Napi::Env env, Task& task);

    std::shared_ptr<Channel> channel_;
    std::vector<std::shared_ptr<Task>> tasks_;
};

}  // namespace neox
