#include "engine/scheduler.h"

#include <algorithm>

#include "engine/beams.h"

namespace neox {

namespace {

// Prompt rows that may ride beside decoding sequences: enough to use the arithmetic, few enough that their next tokens
// do not wait long.
constexpr std::int64_t kPromptRowsBesideSteps = 64;

std::int64_t pending_rows(const Sequence& sequence) { return sequence.length() - sequence.n_cached; }

std::int64_t pending_rows(const Call& call) { return pending_rows(*call.request.sequence); }

bool has_stepping_beams(const Call& call) { return call.beams && call.beams->is_stepping(); }

// One row each goes into every batch.
bool is_stepping(const Call& call) {
    return has_stepping_beams(call) || (call.n_generated > 0 && pending_rows(call) == 1);
}

bool is_generating(const Call& call) { return call.request.max_new_tokens > 0; }

void add_part(Plan& plan, Call& call, std::int64_t n_rows) {
    Sequence& sequence = *call.request.sequence;
    const std::int64_t end = sequence.n_cached + n_rows;
    const bool is_last = end == sequence.length();
    plan.parts.push_back({&call, &sequence, sequence.n_cached, end, is_last, is_last, 0, 0, 0, n_rows});
}

// A row for each beam that has not been computed in this step yet, in order, as far as `budget` goes. Returns what is left.
std::int64_t add_beams(Plan& plan, Call& call, std::int64_t budget) {
    std::vector<Sequence>& beams = call.beams->sequences;
    for (std::size_t i = 0; i < beams.size() && budget > 0; ++i) {
        if (pending_rows(beams[i]) == 0) continue;
        plan.parts.push_back({&call, &beams[i], beams[i].n_cached, beams[i].length(), true,
                              i + 1 == beams.size(), 0, i, 0, 1});
        --budget;
    }
    return budget;
}

// What the row at `pos` must give for a query. Positions lie in the call's own prompt.
void want_values(const Config& config, Call& call, std::int64_t pos, Row& row) {
    const CallRequest& request = call.request;
    const std::int64_t local = pos - call.begin;
    const auto find = [local](const std::vector<std::int64_t>& positions) {
        return std::lower_bound(positions.begin(), positions.end(), local) - positions.begin();
    };
    const auto logits = find(request.logits_at);
    if (logits < std::ssize(request.logits_at) &&
        request.logits_at[static_cast<std::size_t>(logits)] == local)
        row.logits = call.logits.data() + logits * config.n_vocab;
    const auto hidden = find(request.hidden_at);
    if (hidden < std::ssize(request.hidden_at) &&
        request.hidden_at[static_cast<std::size_t>(hidden)] == local)
        row.hidden = call.hidden.data() + hidden * config.n_embd;
    if (request.score_from >= 1 && local >= request.score_from - 1 && pos + 1 < call.prompt_end) {
        row.targets = request.sequence->tokens().data() + pos + 1;
        row.n_targets = 1;
        row.target_logprobs = call.target_logprobs.data() + (local - (request.score_from - 1));
    }
}

// A row that a token is sampled from: the last one, or that of the draft's token i - 1.
void want_sample(Call& call, std::size_t beam, std::size_t i, Row& row) {
    if (call.beams) {
        row.logits = call.beams->scores_of(beam);
        row.n_top = static_cast<std::int32_t>(call.beams->n_top);
        row.top_ids = call.beams->top_ids_of(beam);
        row.top_logprobs = call.beams->top_logprobs_of(beam);
        return;
    }
    DraftOutputs& draft = call.draft_outputs;
    if (call.sampler->is_plain_greedy() && !call.request.external_scores && call.request.n_logprobs < 0) {
        row.argmax = i == 0 ? &call.argmax : &draft.argmax[i - 1];
        return;
    }
    row.logits = i == 0 ? call.scores.data() : draft.scores.data() + (i - 1) * call.scores.size();
    if (call.request.n_logprobs < 0) return;
    const std::size_t n_top = call.top_ids.size();
    row.n_top = static_cast<std::int32_t>(n_top);
    row.top_ids = i == 0 ? call.top_ids.data() : draft.top_ids.data() + (i - 1) * n_top;
    row.top_logprobs = i == 0 ? call.top_logprobs.data() : draft.top_logprobs.data() + (i - 1) * n_top;
}

// A row behind the sequence's last one: a token that may come.
Row draft_row(const Call& call, std::int64_t pos) {
    const std::int64_t i = pos - call.request.sequence->length();
    Row row{};
    row.token = call.speculation->draft()[static_cast<std::size_t>(i)];
    row.phase = RowPhase::step;
    row.rope_length = static_cast<std::int32_t>(pos + 1);
    return row;
}

Row sequence_row(const Sequence& sequence, std::int64_t pos) {
    Row row{};
    row.token = sequence.tokens()[static_cast<std::size_t>(pos)];
    row.embedding = sequence.embedding(pos);
    row.phase = sequence.phase(pos);
    row.rope_length = sequence.rope_length(pos);
    return row;
}

// Lengthens the parts, which are of calls that decode, by drafts; never beyond what a call was promised, what its consumer
// has room for and where its context ends. Returns the number of rows.
std::int64_t add_drafts(Plan& plan, std::int64_t budget, const StepCosts& costs) {
    plan.speculations.clear();
    for (const Plan::Part& part : plan.parts) {
        const Call& call = *part.call;
        if (!call.speculation) continue;
        const std::int64_t room =
            std::min({call.request.max_new_tokens - call.n_generated,
                      static_cast<std::int64_t>(call.request.ring_capacity - call.ring.size()),
                      call.limit - call.request.sequence->length() + 1});
        call.speculation->propose(call.request.sequence->tokens(), room - 1);
        plan.speculations.push_back(call.speculation.get());
    }
    const std::int32_t n_steps = static_cast<std::int32_t>(plan.parts.size());
    const std::int32_t n = take_drafts(plan.speculations, n_steps, static_cast<std::int32_t>(budget), costs);
    for (Plan::Part& part : plan.parts) {
        if (!part.call->speculation) continue;
        part.n_draft = std::ssize(part.call->speculation->draft());
        part.end += part.n_draft;
    }
    return n;
}

}  // namespace

bool is_runnable(const Call& call) {
    return call.state == CallState::running && (has_stepping_beams(call) || pending_rows(call) > 0) &&
           call.ring.size() < call.request.ring_capacity;
}

void choose_parts(std::span<const std::shared_ptr<Call>> running, std::int32_t max_rows,
                  const StepCosts& costs, Plan& plan) {
    plan.parts.clear();
    std::int64_t budget = max_rows;
    for (const auto& call : running) {
        if (budget == 0) break;
        if (!is_runnable(*call) || !is_stepping(*call)) continue;
        if (call->beams) {
            budget = add_beams(plan, *call, budget);
            continue;
        }
        add_part(plan, *call, 1);
        --budget;
    }
    plan.n_decoding = plan.parts.size();
    if (!plan.parts.empty())
        budget = std::min(budget - add_drafts(plan, budget, costs), kPromptRowsBesideSteps);
    for (const auto& call : running) {
        if (budget == 0) return;
        if (!is_runnable(*call) || is_stepping(*call)) continue;
        const std::int64_t n_rows = std::min(budget, pending_rows(*call));
        add_part(plan, *call, n_rows);
        budget -= n_rows;
    }
}

void build_rows(const Config& config, Plan& plan) {
    plan.rows.clear();
    plan.sequences.clear();
    for (Plan::Part& part : plan.parts) {
        Call& call = *part.call;
        part.first_row = plan.rows.size();
        const Sequence& sequence = *part.sequence;
        const std::int32_t index = static_cast<std::int32_t>(plan.sequences.size());
        const std::vector<std::int32_t>& blocks = sequence.table.blocks();
        plan.sequences.push_back(
            {blocks.data(), static_cast<std::int32_t>(blocks.size()), &call.cancel_flag});
        for (std::int64_t pos = part.begin; pos < part.end; ++pos) {
            Row row = pos < sequence.length() ? sequence_row(sequence, pos) : draft_row(call, pos);
            row.sequence = index;
            row.pos = static_cast<std::int32_t>(pos);
            if (is_generating(call)) {
                const std::int64_t last = sequence.length() - 1;
                if (part.is_last && pos >= last)
                    want_sample(call, part.beam, static_cast<std::size_t>(pos - last), row);
            } else if (pos >= call.begin) {
                want_values(config, call, pos, row);
            }
            plan.rows.push_back(row);
        }
    }
    plan.statuses.assign(plan.rows.size(), RowStatus::done);
    for (std::size_t i = 0; i < plan.rows.size(); ++i) plan.rows[i].status = &plan.statuses[i];
}

std::optional<std::int64_t> nan_position(const Plan& plan, const Plan::Part& part) {
    const auto first = plan.statuses.begin() + static_cast<std::ptrdiff_t>(part.first_row);
    const auto end = first + part.n_counted;
    const auto nan = std::find(first, end, RowStatus::nan);
    if (nan == end) return std::nullopt;
    return part.begin + (nan - first);
}

}  // namespace neox
