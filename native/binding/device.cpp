#include "binding/device.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "binding/environment.h"
#include "binding/values.h"
#include "model/device_library.h"

namespace neox {

namespace {

DevicePolicy policy_from_name(const std::string& name) {
    if (name == "auto") return DevicePolicy::automatic;
    if (name == "cpu") return DevicePolicy::cpu;
    if (name == "cuda") return DevicePolicy::gpu;
    fail(ErrorCode::invalid_argument, "Unknown device '", name, "'.");
}

struct Listed {
    const char* device;
    DeviceProbe probe{};
    std::string reason;
};

Listed ask_gpu(const DeviceRequest& request) {
    Listed listed{"cuda", {}, request.absence};
    if (request.library.empty()) return listed;
    try {
        listed.probe = probe_device(open_device_library(request.library, request.version));
        listed.reason = listed.probe.reason;
    } catch (const Error& error) {
        listed.reason = error.what();
    }
    return listed;
}

Napi::Object to_js_device(Napi::Env env, const Listed& listed) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("device", listed.device);
    object.Set("isUsable", listed.probe.is_usable != 0);
    object.Set("reason", listed.reason);
    object.Set("name", static_cast<const char*>(listed.probe.name));
    object.Set("driver", static_cast<const char*>(listed.probe.driver));
    object.Set("totalBytes", to_number(env, listed.probe.total_bytes));
    object.Set("freeBytes", to_number(env, listed.probe.free_bytes));
    return object;
}

}  // namespace

DeviceRequest read_device_request(Napi::Object options) {
    DeviceRequest request;
    request.version = NEOX_VERSION;
    request.policy = policy_from_name(string_member(options, "device").value_or("cpu"));
    request.library = string_member(options, "cudaLibrary").value_or("");
    request.absence = string_member(options, "cudaAbsence").value_or("");
    const std::int64_t gpu_layers = member(options, "gpuLayers", std::int64_t{-1});
    if (gpu_layers >= 0)
        request.gpu_layers = static_cast<std::int32_t>(std::min<std::int64_t>(gpu_layers, 1 << 30));
    return request;
}

Napi::Value list_devices(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
        const DeviceRequest request = read_device_request(read_object(info[0], "options"));
        auto work = [request](TaskControl&) -> TaskResult {
            std::vector<Listed> all{{"cpu", probe_device(cpu_device()), {}}, ask_gpu(request)};
            return [all = std::move(all)](Napi::Env env) -> Napi::Value {
                Napi::Array list = Napi::Array::New(env, all.size());
                for (std::uint32_t i = 0; i < all.size(); ++i) list.Set(i, to_js_device(env, all[i]));
                return list;
            };
        };
        return Environment::of(info.Env()).tasks.start(info.Env(), std::move(work));
    });
}

}  // namespace neox
