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

}  // namespace neox
