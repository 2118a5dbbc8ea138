#include "binding/native_task.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "binding/errors.h"

namespace neox {

void return_free_memory() noexcept {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void TaskControl::progress(std::uint64_t now, std::uint64_t of) {
    total.store(of, std::memory_order_relaxed);
    done.store(now, std::memory_order_release);
    channel->wake();
}

std::shared_ptr<TaskList::Task> TaskList::launch(Napi::Env env, TaskWork work, bool is_job,
                                                 Napi::Value on_progress, napi_value* promise) {
    auto task = std::make_shared<Task>();
    task->is_job = is_job;
    task->control.channel = channel_;
    if (on_progress.IsFunction()) task->on_progress = Napi::Persistent(on_progress.As<Napi::Function>());
    NAPI_THROW_IF_FAILED(env, napi_create_promise(env, &task->deferred, promise), nullptr);
    tasks_.push_back(task);
    channel_->hold(env);
    try {
        task->thread = Thread([task = task.get(), keep = task, work = std::move(work)] {
            try {
                task->result = work(task->control);
            } catch (...) {
                task->error = current_error();
            }
            if (task->is_job) return_free_memory();
            task->is_finished.store(true, std::memory_order_release);
            task->control.channel->wake();
        });
    } catch (const std::exception& error) {
        task->error = Error(ErrorCode::out_of_memory, text("Cannot start a thread: ", error.what()));
        task->is_finished.store(true);
        channel_->wake();
    }
    return task;
}

Napi::Promise TaskList::start(Napi::Env env, TaskWork work) {
    napi_value promise = nullptr;
    launch(env, std::move(work), false, env.Undefined(), &promise);
    return Napi::Promise(env, promise);
}

Napi::Object TaskList::start_job(Napi::Env env, Napi::Value on_progress, TaskWork work) {
    napi_value promise = nullptr;
    std::weak_ptr<Task> task = launch(env, std::move(work), true, on_progress, &promise);
    Napi::Object job = Napi::Object::New(env);
    job.Set("promise", Napi::Value(env, promise));
    job.Set("cancel", Napi::Function::New(env, [task](const Napi::CallbackInfo&) {
                if (const auto alive = task.lock()) alive->control.cancel.store(true);
            }));
    return job;
}

void TaskList::settle(Napi::Env env) {
    // Functions that run here may start tasks, so the list is not walked while they do.
    const std::vector<std::shared_ptr<Task>> tasks = tasks_;
    std::optional<Napi::Error> thrown;  // by the first; it must not keep the others from being settled
    for (const auto& task : tasks) {
        const bool is_finished = task->is_finished.load(std::memory_order_acquire);
        const std::uint64_t done = task->control.done.load(std::memory_order_acquire);
        if (!task->on_progress.IsEmpty() && done != task->reported && !task->control.cancel.load()) {
            task->reported = done;
            const double total = static_cast<double>(task->control.total.load(std::memory_order_relaxed));
            try {
                task->on_progress.Call(
                    {Napi::Number::New(env, static_cast<double>(done)), Napi::Number::New(env, total)});
            } catch (const Napi::Error& error) {
                if (!thrown) thrown = error;
            }
        }
        if (!is_finished) continue;
        std::erase(tasks_, task);
        channel_->release(env);
        settle_one(env, *task);
    }
    if (thrown) throw *thrown;
}

void TaskList::settle_one(Napi::Env env, Task& task) {
    if (task.thread.joinable()) task.thread.join();  // it has nothing left to do
    task.on_progress.Reset();
    const napi_deferred deferred = std::exchange(task.deferred, nullptr);
    try {
        if (task.error) throw *task.error;
        const Napi::Value value = guard(env, [&] { return std::exchange(task.result, nullptr)(env); });
        napi_resolve_deferred(env, deferred, value);
    } catch (const Napi::Error& error) {
        napi_reject_deferred(env, deferred, error.Value());
    } catch (const Error& error) {
        napi_reject_deferred(env, deferred, to_js_error(env, error).Value());
    }
}

void TaskList::shut_down() noexcept {
    for (const auto& task : tasks_) task->control.cancel.store(true);
    for (const auto& task : tasks_) {
        task->on_progress.Reset();
        if (!task->thread.joinable()) continue;
        if (task->is_job)
            task->thread.join();
        else
            task->thread.detach();
    }
    tasks_.clear();
}

}  // namespace neox
