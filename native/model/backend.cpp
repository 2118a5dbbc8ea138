#include "model/backend.h"

#include <cstring>

namespace neox {

void check(const Status& status) {
    if (status.code != 0) throw Error(static_cast<ErrorCode>(status.code), status.message);
}

Status make_status(ErrorCode code, const char* message) noexcept {
    Status status{};
    status.code = static_cast<std::int32_t>(code);
    const std::size_t n = std::strlen(message);
    const std::size_t kept = n < sizeof(status.message) - 1 ? n : sizeof(status.message) - 1;
    std::memcpy(status.message, message, kept);
    return status;
}

void check_layers(const Config& config, const BackendOptions& options) {
    const std::int32_t n_layers = options.n_layers(config.n_layer);
    if (options.layer_begin < 0 || n_layers < 0 || options.layer_begin + n_layers > config.n_layer)
        fail(ErrorCode::internal, "Keys and values of ", n_layers, " layers from ", options.layer_begin,
             " on, of ", config.n_layer, ".");
}

}  // namespace neox
