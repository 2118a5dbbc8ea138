// The graphs of a backend: passes of step rows alone, which are launched over and over with nothing but other data.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cuda/runtime.h"

namespace neox::cuda {

// All numbers that the launches of such a pass depend on; the rest lies in the device's memory.
using GraphKey = std::vector<std::int32_t>;

class GraphCache {
public:
    // Of so many keys, those that were used last.
    static constexpr std::size_t kMost = 32;

    // Launches what record() asks `stream` for, which is recorded at the key's first use. The stream must have come to its end
    // before: a graph that has to go may be in use.
    void launch(Stream& stream, const GraphKey& key, const std::function<void()>& record);
    std::size_t size() const { return graphs_.size(); }
    std::uint64_t n_recorded() const { return n_recorded_; }

private:
    struct Entry {
        std::unique_ptr<Graph> graph;
        std::uint64_t last_use;
    };
    std::map<GraphKey, Entry> graphs_;
    std::uint64_t n_uses_ = 0, n_recorded_ = 0;
};

}  // namespace neox::cuda
