// Which rows go into the next batch: one step of every sequence that decodes, then prompts within a budget of rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/call.h"
#include "model/batch.h"

namespace neox {

// A batch and whom its rows belong to. The vectors keep their memory from step to step.
struct Plan {
    struct Part {
        Call* call;
        Sequence* sequence;       // of the call
        std::int64_t begin, end;  // positions [begin, end) of it
        bool is_last;             // holds its last row
        std::size_t first_row;    // into rows
    };
    std::vector<Part> parts;
    std::vector<Row> rows;
    std::vector<RowStatus> statuses;  // [rows.size()]
    std::vector<SequenceView> sequences;
};

// True when the call has something to compute and its consumer keeps up.
bool is_runnable(const Call& call);

// Decides the parts. Calls that decode come first, each with one row; the rest of `max_rows` goes to prompts in order.
void choose_parts(std::span<const std::shared_ptr<Call>> running, std::int32_t max_rows, Plan& plan);

// Fills rows and sequences from the parts, whose KV blocks are reserved. Outputs point into the calls.
void build_rows(const Config& config, Plan& plan);

}  // namespace neox
