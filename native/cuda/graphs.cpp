#include "cuda/graphs.h"

#include <algorithm>

namespace neox::cuda {

void GraphCache::launch(Stream& stream, const GraphKey& key, const std::function<void()>& record) {
    const auto found = keys_.find(key);
    if (found == keys_.end()) {
        record();
        make_room();
        keys_.emplace(key, Entry{nullptr, ++n_uses_});
        return;
    }
    Entry& entry = found->second;
    entry.last_use = ++n_uses_;
    if (entry.graph) {
        ++n_replayed_;
    } else {
        auto graph = std::make_unique<Graph>();
        graph->capture(stream, record);
        entry.graph = std::move(graph);
        ++n_recorded_;
    }
    entry.graph->launch(stream);
}

void GraphCache::make_room() {
    if (keys_.size() < kMost) return;
    keys_.erase(std::min_element(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) {
        return a.second.last_use < b.second.last_use;
    }));
}

}  // namespace neox::cuda
