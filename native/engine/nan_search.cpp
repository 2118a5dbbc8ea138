#include "engine/nan_search.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace neox {

namespace {

// A stage is what a row has come through: the embedding, then each layer.
struct Place {
    std::int32_t stage;
    std::int64_t position;
};

struct Findings {
    std::optional<Place> nan;
    std::optional<Place> infinity;  // the first, when no NaN came before it
};

// The rows [begin, end) of a sequence in free blocks.
class Rerun {
public:
    Rerun(const NanSearch& search, const Sequence& sequence, const std::atomic<std::int32_t>* cancel)
        : search_(search), sequence_(sequence), cancel_(cancel), table_(search.pool) {}

    // Prepares a batch; false where there is no room for it.
    bool take(std::int64_t begin, std::int64_t end) {
        if (table_.needed(begin, end) > search_.pool->n_free()) return false;
        table_.reserve(search_.backend, begin, end);
        rows_.clear();
        for (std::int64_t pos = begin; pos < end; ++pos) {
            Row row{};
            row.pos = static_cast<std::int32_t>(pos);
            row.token = sequence_.tokens()[static_cast<std::size_t>(pos)];
            row.embedding = sequence_.embedding(pos);
            row.phase = sequence_.phase(pos);
            row.rope_length = sequence_.rope_length(pos);
            rows_.push_back(row);
        }
        carry_.assign(rows_.size() * width(), 0.0f);
        return true;
    }

    // False after a cancel.
    bool run(std::int32_t layer_begin, std::int32_t layer_end) {
        const std::vector<std::int32_t>& blocks = table_.blocks();
        const SequenceView view{blocks.data(), static_cast<std::int32_t>(blocks.size()), cancel_};
        const Batch batch{rows_.data(), static_cast<std::int32_t>(rows_.size()), &view, 1};
        check(search_.backend.forward(search_.backend.self, &batch, layer_begin, layer_end, carry_.data()));
        return !cancel_ || cancel_->load(std::memory_order_relaxed) == 0;
    }

    // Notes the first NaN, and the first infinity, among what the rows carry behind `stage`.
    void look(std::int32_t stage, Findings& found) const {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const auto begin = carry_.begin() + static_cast<std::ptrdiff_t>(i * width());
            const auto end = begin + static_cast<std::ptrdiff_t>(width());
            const Place here{stage, rows_[i].pos};
            if (!found.infinity && std::any_of(begin, end, [](float x) { return std::isinf(x); }))
                found.infinity = here;
            if (!found.nan && std::any_of(begin, end, [](float x) { return std::isnan(x); }))
                found.nan = here;
        }
    }

    Row& last_row() { return rows_.back(); }

private:
    std::size_t width() const { return static_cast<std::size_t>(search_.config.n_embd); }

    const NanSearch& search_;
    const Sequence& sequence_;
    const std::atomic<std::int32_t>* cancel_;
    BlockTable table_;
    std::vector<Row> rows_;
    std::vector<float> carry_;  // [rows, n_embd]
};

std::string name(const Place& place, const NanSearch& search) {
    const std::string position = text("at position ", place.position, " ");
    if (place.stage == 0) return position + "in the embedding";
    return position + text("in layer ", place.stage - 1, " (of ", search.config.n_layer, ", counted from 0)");
}

std::string describe(const Findings& found, const NanSearch& search) {
    const std::string nan = text(" It first shows ", name(*found.nan, search));
    // In one layer, the one may have made the other or not.
    if (!found.infinity || found.infinity->stage >= found.nan->stage) return nan + ".";
    return nan + text(", after an infinity ", name(*found.infinity, search), ".");
}

// A sentence, or nothing.
std::string locate(const NanSearch& search, const Sequence& sequence, std::int64_t position,
                   const std::atomic<std::int32_t>* cancel) {
    const std::int32_t n_layer = search.config.n_layer;
    if (position >= sequence.length()) return "";  // of a row that the sequence does not hold
    Rerun rerun(search, sequence, cancel);
    Findings found;
    std::vector<float> hidden(static_cast<std::size_t>(search.config.n_embd));
    for (std::int64_t begin = 0; begin <= position; begin += search.max_rows) {
        const std::int64_t end = std::min(position + 1, begin + search.max_rows);
        if (!rerun.take(begin, end)) return "";
        if (end > position) rerun.last_row().hidden = hidden.data();
        for (std::int32_t stage = 0; stage <= n_layer; ++stage) {
            if (!rerun.run(std::max(0, stage - 1), stage)) return "";
            rerun.look(stage, found);
            if (found.nan) return describe(found, search);
        }
    }
    const bool in_norm = std::any_of(hidden.begin(), hidden.end(), [](float x) { return std::isnan(x); });
    const std::string place = in_norm ? "in the final norm" : "in the head";
    const std::string after =
        found.infinity ? text(", after an infinity ", name(*found.infinity, search)) : std::string();
    return text(" It first shows there, ", place, after, ".");
}

}  // namespace

Error nan_error(const NanSearch& search, const Sequence& sequence, std::int64_t position,
                const std::atomic<std::int32_t>* cancel) {
    const std::string message = text("The output at position ", position, " holds a NaN.");
    try {
        return Error(ErrorCode::nan_logits, message + locate(search, sequence, position, cancel));
    } catch (...) {
        return Error(ErrorCode::nan_logits, message);  // the search is a help, not the point
    }
}

}  // namespace neox
