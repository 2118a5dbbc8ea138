// Where the time of a pass goes on the device, by operation (model/profile.h): an event at each change of the operation, read when
// the pass has ended. What was not measured costs a comparison.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "cuda/runtime.h"
#include "model/profile.h"

namespace neox::cuda {

class OpTimes {
public:
    // Nothing is measured where `profile` is null.
    void start(Stream& stream, PassProfile* profile) {
        stream_ = &stream;
        profile_ = profile;
        ops_.clear();
        enter(Op::other);
    }
    bool is_on() const { return profile_ != nullptr; }
    // What the stream is asked for from now on is of this operation. Returns the one that it interrupts.
    Op enter(Op op) {
        if (!profile_) return op;
        if (events_.size() == ops_.size()) events_.emplace_back();
        stream_->record(events_[ops_.size()]);
        ops_.push_back(op);
        return std::exchange(op_, op);
    }
    // Behind the stream's end: adds the times up.
    void finish() {
        if (!profile_) return;
        enter(Op::other);
        stream_->synchronize();
        for (std::size_t i = 0; i + 1 < ops_.size(); ++i)
            profile_->ops[static_cast<std::int32_t>(ops_[i])].ns += static_cast<std::uint64_t>(
                1e6 * static_cast<double>(Event::elapsed_ms(events_[i], events_[i + 1])));
        profile_ = nullptr;
    }

private:
    Stream* stream_ = nullptr;
    PassProfile* profile_ = nullptr;
    Op op_ = Op::other;
    std::vector<Op> ops_;
    std::deque<Event> events_;  // one for each of ops_; kept for the next pass
};

}  // namespace neox::cuda
