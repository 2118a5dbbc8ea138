// Checks a call before it is queued, and sets it up when it is admitted.
#pragma once

#include <cstdint>

#include "engine/call.h"
#include "model/config.h"

namespace neox {

// Throws ERR_NEOX_INVALID_ARGUMENT for a position outside [0, length].
void check_position(const Sequence& sequence, std::int64_t n_positions);

// Validates the request against the model and the pool; fills begin, prompt_end, promised_blocks and the sampler.
// Throws ERR_NEOX_INVALID_ARGUMENT, ERR_NEOX_CONTEXT_FULL, or ERR_NEOX_KV_FULL when it could never fit.
void prepare_call(Call& call, const Config& config, std::int32_t n_ctx, std::int32_t n_kv_blocks);

// Appends the prompt to the sequence and sizes the outputs.
void begin_call(Call& call);

}  // namespace neox
