// Which rows go into the next batch: one step of every sequence that decodes, then prompts within a budget of rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/call.h"
#include "model/batch.h"

namespace neox {

// A batch and whom its rows belong to. The vectors keep their memory from step to step.
struct Plan {
    struct Part {
        Call* call;
        Sequence* sequence;       // of the call, or of one of its beams
        std::int64_t begin, end;  // positions [begin, end) of it, a draft's behind its last token
        bool is_last;             // holds its last row
        bool is_due;              // with it all is computed that the call's next token needs
        std::int64_t n_draft;     // rows of a draft
        std::size_t beam;         // whose sequence it is; 0 without beams
        std::size_t first_row;    // into rows
        std::int64_t
            n_counted;  // rows whose outcome counts: all but those behind a draft's first wrong token
    };
    std::vector<Part> parts;
    std::size_t n_decoding = 0;  // the first parts, each a step of a call that decodes
    std::vector<Row> rows;
    std::vector<RowStatus> statuses;  // [rows.size()]
    std::vector<SequenceView> sequences;
    std::vector<Speculation*> speculations;  // of the calls that decode
};

// True when the call has something to compute and its consumer keeps up.
bool is_runnable(const Call& call);

// Decides the parts. Calls that decode come first, each with one row and its draft, or with a row for each of its beams; the
// rest of `max_rows` goes to prompts in order.
void choose_parts(std::span<const std::shared_ptr<Call>> running, std::int32_t max_rows,
                  const StepCosts& costs, Plan& plan);

// Fills rows and sequences from the parts, whose KV blocks are reserved. Outputs point into the calls.
void build_rows(const Config& config, Plan& plan);

// The first position of a part, of those that count, whose outputs hold a NaN.
std::optional<std::int64_t> nan_position(const Plan& plan, const Plan::Part& part);

}  // namespace neox
