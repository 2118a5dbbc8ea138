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
    // Of so many keys, those that were used last. Decoding up to 16 sequences in three classes of lengths takes 48.
    static constexpr std::size_t kMost = 64;

    // Launches what record() asks `stream` for: directly at the key's first use, when CUDA may have to load the kernels yet and
    // there may be no second; recorded, at its second. The stream must have come to its end before: a graph that has to go may
    // be in use.
    void launch(Stream& stream, const GraphKey& key, const std::function<void()>& record);
    std::size_t size() const { return keys_.size(); }  // of its keys
    std::uint64_t n_recorded() const { return n_recorded_; }
    std::uint64_t n_replayed() const { return n_replayed_; }  // launches of what was recorded before

private:
    struct Entry {
        std::unique_ptr<Graph> graph;  // null after the first use
        std::uint64_t last_use;
    };
    void make_room();

    std::map<GraphKey, Entry> keys_;
    std::uint64_t n_uses_ = 0, n_recorded_ = 0, n_replayed_ = 0;
};

}  // namespace neox::cuda
