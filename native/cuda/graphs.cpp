#include "cuda/graphs.h"

#include <algorithm>

namespace neox::cuda {

void GraphCache::launch(Stream& stream, const GraphKey& key, const std::function<void()>& record) {
    auto found = graphs_.find(key);
    if (found == graphs_.end()) {
        auto graph = std::make_unique<Graph>();
        graph->capture(stream, record);
        ++n_recorded_;
        if (graphs_.size() >= kMost)
            graphs_.erase(std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) {
                return a.second.last_use < b.second.last_use;
            }));
        found = graphs_.emplace(key, Entry{std::move(graph), 0}).first;
    }
    found->second.last_use = ++n_uses_;
    found->second.graph->launch(stream);
}

}  // namespace neox::cuda
