#include "binding/environment.h"

namespace neox {

Environment::Environment(Napi::Env env)
    : channel(Channel::open(env,
                            [](Napi::Env e) {
                                Environment& self = Environment::of(e);
                                // Calls first: what a progress function throws must not keep them waiting.
                                if (!self.on_wake.IsEmpty()) self.on_wake.Call({});
                                self.tasks.settle(e);
                            })),
      tasks(channel) {}

void Environment::shut_down() noexcept {
    channel->close();
    tasks.shut_down();
    for (const auto& weak : models)
        if (const auto model = weak.lock()) model->engine->stop();
}

}  // namespace neox
