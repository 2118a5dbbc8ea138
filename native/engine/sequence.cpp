#include "engine/sequence.h"

#include <algorithm>
#include <iterator>

namespace neox {

const float* Sequence::embedding(std::int64_t pos) const {
    if (tokens_[static_cast<std::size_t>(pos)] != kEmbedding) return nullptr;
    const auto at = std::lower_bound(embedding_positions_.begin(), embedding_positions_.end(), pos);
    return embeddings_.data() + (at - embedding_positions_.begin()) * n_embd_;
}

std::int32_t Sequence::rope_length(std::int64_t pos) const {
    if (phase(pos) == RowPhase::step) return static_cast<std::int32_t>(pos + 1);
    const auto after = std::upper_bound(prompts_.begin(), prompts_.end(), pos,
                                        [](std::int64_t p, const PromptRun& run) { return p < run.begin; });
    return static_cast<std::int32_t>(std::prev(after)->end);
}

void Sequence::reserve(const std::vector<PromptPart>& prompt, std::int64_t n_positions) {
    tokens_.reserve(static_cast<std::size_t>(n_positions));
    phases_.reserve(static_cast<std::size_t>(n_positions));
    prompts_.reserve(prompts_.size() + 1);
    std::size_t n_values = embeddings_.size();
    for (const PromptPart& part : prompt) n_values += part.embeddings.size();
    embeddings_.reserve(n_values);
    embedding_positions_.reserve(n_values / static_cast<std::size_t>(n_embd_));
}

void Sequence::append(const std::vector<PromptPart>& prompt) {
    const std::int64_t begin = length();
    for (const PromptPart& part : prompt) append(part);
    if (length() > begin) prompts_.push_back({begin, length()});
}

void Sequence::append(const PromptPart& part) {
    tokens_.insert(tokens_.end(), part.ids.begin(), part.ids.end());
    const std::size_t n = part.embeddings.size() / static_cast<std::size_t>(n_embd_);
    for (std::size_t i = 0; i < n; ++i) {
        embedding_positions_.push_back(length());
        tokens_.push_back(kEmbedding);
    }
    embeddings_.insert(embeddings_.end(), part.embeddings.begin(), part.embeddings.end());
    phases_.resize(tokens_.size(), RowPhase::prompt);
}

void Sequence::append_sampled(Token token) {
    tokens_.push_back(token);
    phases_.push_back(RowPhase::step);
}

void Sequence::truncate(std::int64_t n_positions) {
    if (n_positions >= length()) return;
    tokens_.resize(static_cast<std::size_t>(n_positions));
    phases_.resize(tokens_.size());
    while (!prompts_.empty() && prompts_.back().begin >= n_positions) prompts_.pop_back();
    while (!embedding_positions_.empty() && embedding_positions_.back() >= n_positions) embedding_positions_.pop_back();
    embeddings_.resize(embedding_positions_.size() * static_cast<std::size_t>(n_embd_));
    n_cached = std::min(n_cached, n_positions);
    table.truncate(n_cached);
}

void Sequence::evict() {
    n_cached = 0;
    table.truncate(0);
}

Sequence Sequence::fork(std::int64_t n_positions) const {
    Sequence copy(*this, table.fork(std::min(n_cached, n_positions)));
    copy.truncate(n_positions);
    return copy;
}

}  // namespace neox
