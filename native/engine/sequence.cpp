#include "engine/sequence.h"

#include <algorithm>
#include <iterator>

namespace neox {

const float* Sequence::embedding(std::int64_t pos) const {
    if (rows_.tokens[static_cast<std::size_t>(pos)] != kEmbedding) return nullptr;
    const auto at = std::lower_bound(rows_.embedding_positions.begin(), rows_.embedding_positions.end(), pos);
    return rows_.embeddings.data() + (at - rows_.embedding_positions.begin()) * n_embd_;
}

std::int32_t Sequence::rope_length(std::int64_t pos) const {
    if (phase(pos) == RowPhase::step) return static_cast<std::int32_t>(pos + 1);
    const auto after = std::upper_bound(rows_.prompts.begin(), rows_.prompts.end(), pos,
                                        [](std::int64_t p, const PromptRun& run) { return p < run.begin; });
    return static_cast<std::int32_t>(std::prev(after)->end);
}

void Sequence::reserve(const std::vector<PromptPart>& prompt, std::int64_t n_positions) {
    rows_.tokens.reserve(static_cast<std::size_t>(n_positions));
    rows_.phases.reserve(static_cast<std::size_t>(n_positions));
    rows_.prompts.reserve(rows_.prompts.size() + 1);
    std::size_t n_values = rows_.embeddings.size();
    for (const PromptPart& part : prompt) n_values += part.embeddings.size();
    rows_.embeddings.reserve(n_values);
    rows_.embedding_positions.reserve(n_values / static_cast<std::size_t>(n_embd_));
}

void Sequence::append(const std::vector<PromptPart>& prompt) {
    const std::int64_t begin = length();
    for (const PromptPart& part : prompt) append(part);
    if (length() > begin) rows_.prompts.push_back({begin, length()});
}

void Sequence::append(const PromptPart& part) {
    rows_.tokens.insert(rows_.tokens.end(), part.ids.begin(), part.ids.end());
    const std::size_t n = part.embeddings.size() / static_cast<std::size_t>(n_embd_);
    for (std::size_t i = 0; i < n; ++i) {
        rows_.embedding_positions.push_back(length());
        rows_.tokens.push_back(kEmbedding);
    }
    rows_.embeddings.insert(rows_.embeddings.end(), part.embeddings.begin(), part.embeddings.end());
    rows_.phases.resize(rows_.tokens.size(), RowPhase::prompt);
}

void Sequence::append_sampled(Token token) {
    rows_.tokens.push_back(token);
    rows_.phases.push_back(RowPhase::step);
}

void Sequence::truncate(std::int64_t n_positions) {
    if (n_positions >= length()) return;
    if (n_positions == 0) rows_.n_dropped = 0;  // a new beginning
    rows_.tokens.resize(static_cast<std::size_t>(n_positions));
    rows_.phases.resize(rows_.tokens.size());
    while (!rows_.prompts.empty() && rows_.prompts.back().begin >= n_positions) rows_.prompts.pop_back();
    while (!rows_.embedding_positions.empty() && rows_.embedding_positions.back() >= n_positions)
        rows_.embedding_positions.pop_back();
    rows_.embeddings.resize(rows_.embedding_positions.size() * static_cast<std::size_t>(n_embd_));
    n_cached = std::min(n_cached, n_positions);
    table.truncate(n_cached);
}

std::int64_t Sequence::common_prefix(const std::vector<PromptPart>& prompt) const {
    const std::size_t n_embd = static_cast<std::size_t>(n_embd_);
    std::int64_t pos = 0;
    for (const PromptPart& part : prompt) {
        for (const Token id : part.ids) {
            if (pos == length() || rows_.tokens[static_cast<std::size_t>(pos)] != id) return pos;
            ++pos;
        }
        for (std::size_t i = 0; i < part.embeddings.size(); i += n_embd) {
            const float* own = pos == length() ? nullptr : embedding(pos);
            if (!own || !std::equal(own, own + n_embd, part.embeddings.data() + i)) return pos;
            ++pos;
        }
    }
    return pos;
}

void Sequence::drop(std::int64_t begin, std::int64_t n, std::int64_t first_new) {
    const auto moved = [&](std::int64_t pos) { return pos <= begin ? pos : std::max(begin, pos - n); };
    std::vector<PromptRun> prompts;
    // All that is allocated: should it fail, the rows are as they were.
    prompts.reserve(rows_.prompts.size() + 2);
    const auto add = [&](PromptRun run) {
        if (run.begin >= std::min(run.end, length() - n)) return;
        // Of runs that are cut at the same row the later one holds it.
        if (!prompts.empty() && prompts.back().begin == run.begin) prompts.pop_back();
        prompts.push_back(run);
    };
    for (std::size_t i = 0; i < rows_.prompts.size(); ++i) {
        const PromptRun run = rows_.prompts[i];
        const bool stays = run.begin < begin && run.begin < first_new;
        add({moved(run.begin), stays ? run.end : moved(run.end)});
        const bool is_cut = stays && (i + 1 == rows_.prompts.size() || rows_.prompts[i + 1].begin >= begin);
        if (is_cut) add({begin, moved(run.end)});
    }
    rows_.prompts = std::move(prompts);
    const auto erase = [&](auto& rows) { rows.erase(rows.begin() + begin, rows.begin() + begin + n); };
    erase(rows_.tokens);
    erase(rows_.phases);
    const auto at = [&](std::int64_t pos) {
        const auto first = rows_.embedding_positions.begin();
        return std::lower_bound(first, rows_.embedding_positions.end(), pos) - first;
    };
    const std::ptrdiff_t first = at(begin), last = at(begin + n);
    rows_.embedding_positions.erase(rows_.embedding_positions.begin() + first,
                                    rows_.embedding_positions.begin() + last);
    rows_.embeddings.erase(rows_.embeddings.begin() + first * n_embd_,
                           rows_.embeddings.begin() + last * n_embd_);
    for (std::int64_t& pos : rows_.embedding_positions) pos = moved(pos);
    rows_.n_dropped += n;
}

void Sequence::drop_and_restart(std::int64_t begin, std::int64_t n, std::int64_t first_new) {
    drop(begin, n, first_new);
    std::fill(rows_.phases.begin() + begin, rows_.phases.end(), RowPhase::prompt);
    while (!rows_.prompts.empty() && rows_.prompts.back().begin >= begin) rows_.prompts.pop_back();
    rows_.prompts.push_back({begin, length()});
    n_cached = std::min(n_cached, begin);
    table.truncate(n_cached);
}

void Sequence::evict() {
    n_cached = 0;
    table.truncate(0);
}

Sequence Sequence::fork(std::int64_t n_positions) const {
    Sequence copy(nullptr, n_embd_, rows_);
    copy.table = table.fork(std::min(n_cached, n_positions));
    copy.n_cached = n_cached;
    copy.truncate(n_positions);
    return copy;
}

}  // namespace neox
