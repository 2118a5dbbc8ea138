#include "binding/system.h"

#include <cmath>

#include "base/thread_pool.h"
#include "binding/environment.h"
#include "binding/values.h"
#include "kernels/ceiling.h"
#include "kernels/dispatch.h"

namespace neox {

Napi::Value system_info(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Env env = info.Env();
        Napi::Array supported = Napi::Array::New(env);
        for (const Kernels* kernels : supported_kernels())
            supported.Set(supported.Length(), Napi::String::New(env, kernels->name));
        Napi::Object object = Napi::Object::New(env);
        object.Set("version", NEOX_VERSION);
        object.Set("isa", active_kernels().name);
        object.Set("supportedIsas", supported);
        object.Set("threads", default_thread_count());
        return object;
    });
}

Napi::Value measure_ceilings_task(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const Napi::Object options = read_object(info[0], "options");
        const int n_threads = static_cast<int>(member(options, "threads", std::int64_t{0}));
        const double seconds = member(options, "seconds", 2.0);
        const std::int64_t read_bytes = member(options, "readBytes", std::int64_t{1} << 29);
        if (!(seconds >= 0.1 && seconds <= 10.0))
            fail(ErrorCode::invalid_argument, "seconds must be from 0.1 to 10, but is ", seconds, ".");
        if (read_bytes < std::int64_t{64} << 20)
            fail(ErrorCode::invalid_argument, "readBytes must be at least 64 MiB, but is ", read_bytes, ".");
        auto work = [=](TaskControl&) -> TaskResult {
            ThreadPool pool(n_threads > 0 ? n_threads : default_thread_count());
            const Ceilings c =
                measure_ceilings(pool, active_kernels(), seconds, static_cast<std::size_t>(read_bytes));
            return [c](Napi::Env env) -> Napi::Value {
                Napi::Object object = Napi::Object::New(env);
                object.Set("readGbPerS", c.read_gb_per_s);
                object.Set("int8GopPerS", c.int8_gop_per_s);
                object.Set("int16GopPerS", c.int16_gop_per_s);
                object.Set("f32GflopPerS", c.f32_gflop_per_s);
                return object;
            };
        };
        return Environment::of(info.Env()).tasks.start(info.Env(), std::move(work));
    });
}

}  // namespace neox
