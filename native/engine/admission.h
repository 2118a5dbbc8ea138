// Checks a call before it is queued, and sets it up when it is admitted.
#pragma once

#include <cstdint>

#include "engine/call.h"
#include "model/config.h"

namespace neox {

// Throws ERR_NEOX_INVALID_ARGUMENT for a position outside [0, length].
void check_position(const Sequence& sequence, std::int64_t n_positions);

// Validates the request against the model, makes the sampler and sizes the outputs. Needs no lock: it looks at nothing but
// the call. Throws ERR_NEOX_INVALID_ARGUMENT or ERR_NEOX_CONTEXT_FULL.
void prepare_call(Call& call, const Config& config, std::int32_t n_ctx);

// Finds the call its place in its idle sequence: begin, prompt_end, promised_blocks; reserves what grows
// with the call, so that the engine's thread need not allocate for it. Throws ERR_NEOX_INVALID_ARGUMENT for an
// empty prompt, ERR_NEOX_CONTEXT_FULL, or ERR_NEOX_KV_FULL when it could never fit.
void place_call(Call& call, std::int32_t n_ctx, std::int32_t n_kv_blocks);

// Appends the prompt to the sequence, after what `replace` and an overflow drop from it.
void begin_call(Call& call);

// Rows at the beginning that Overflow::shift never drops: whole blocks.
std::int64_t kept_by_shift(const Call& call);

}  // namespace neox
