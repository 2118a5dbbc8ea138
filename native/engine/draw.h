// From the logits of rows to the call's next tokens.
#pragma once

#include "engine/scheduler.h"

namespace neox {

// Samples from the rows of a part that were just computed, one after the other as long as the draft holds: fills call.drawn,
// says in call.draw how it went and in part.n_counted how far. Never throws. Touches only what belongs to the engine's
// thread while the call runs, so it needs no lock.
void draw_tokens(const Plan& plan, Plan::Part& part) noexcept;

// The same for the beams of a call, whose rows are all computed. `is_time_up`: they end with this token.
void draw_beams(Call& call, bool is_time_up) noexcept;

// The rest of draw_token, once the caller has given back the scores of a call that awaits them.
void draw_from_scores(Call& call, std::int64_t position) noexcept;

}  // namespace neox
