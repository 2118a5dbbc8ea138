// From the logits of a row to the call's next token.
#pragma once

#include "engine/call.h"

namespace neox {

// Samples from the row that was just computed (call.scores or call.argmax), at `position` of the sequence: fills
// call.pending and says in call.draw how it went. Never throws. Touches only what belongs to the engine's thread while the
// call runs, so it needs no lock.
void draw_token(Call& call, std::int64_t position) noexcept;

// The rest of it, once the caller has given back the scores of a call that awaits them.
void draw_from_scores(Call& call, std::int64_t position) noexcept;

}  // namespace neox
