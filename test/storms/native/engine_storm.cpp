// neox_engine_storm <rounds> <seed>: the engine with its rings and the binding's channel, between environments that come and
// go: each is a thread that submits, drains, cancels, forks, truncates, saves and drops at random, and is torn down while its
// calls run. In every third round the engine is stopped under them. For ThreadSanitizer, and for AddressSanitizer as well.
// Prints "ok ..." and ends with 0; anything else is a failure.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "binding/channel.h"
#include "engine_rig.h"

using namespace neox;
using engine_test::prompt;
using engine_test::Rig;

namespace {

constexpr int kEnvironments = 3, kSteps = 60, kBlocks = 48;

struct Totals {
    std::atomic<int> calls{0}, whole{0}, wakes{0}, refused{0}, saved{0};
} totals;

// One environment's side of one call, as binding/call.cpp has it.
struct Reader {
    std::shared_ptr<Call> call;
    std::int64_t n_drained = 0;
    bool is_done = false;
};

class Life {
public:
    Life(Engine& engine, unsigned seed) : engine_(engine), random_(seed), channel_(open()) {
        env_.hooks.push_back([this] { channel_->close(); });
    }

    void run() {
        for (int i = 0; i < kSteps; ++i) {
            try {
                step();
            } catch (const Error& error) {
                // A session that is busy, a context that is full, an engine that was stopped.
                if (error.code() == ErrorCode::internal || error.code() == ErrorCode::out_of_memory) throw;
                ++totals.refused;
            }
        }
        env_.tear_down();
        for (std::thread& thread : savers_) thread.join();
        for (Reader& reader : readers_) leave(reader);
    }

private:
    int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

    std::shared_ptr<Channel> open() {
        return Channel::open(&env_, [](Napi::Env) { ++totals.wakes; });
    }

    void step() {
        switch (below(12)) {
            case 0:
            case 1:
            case 2: submit(); break;
            case 3: sessions_.push_back(engine_.create_sequence()); break;
            case 4:
                if (!readers_.empty()) leave(readers_[static_cast<std::size_t>(below(count(readers_)))]);
                break;
            case 5: change_session(); break;
            case 6: save(); break;
            case 7:
                if (!sessions_.empty()) sessions_.erase(sessions_.begin() + below(count(sessions_)));
                break;
            case 8:
                engine_.start_profile();
                engine_.free_blocks();
                engine_.kv_bytes();
                engine_.end_profile();
                break;
            default: env_.run(std::chrono::microseconds(below(400))); drain();
        }
    }

    template <class T> static int count(const std::vector<T>& list) { return static_cast<int>(list.size()); }

    void submit() {
        CallRequest request;
        const bool in_session = !sessions_.empty() && below(2) == 0;
        request.sequence = in_session ? sessions_[static_cast<std::size_t>(below(count(sessions_)))]
                                      : engine_.create_sequence();
        request.prompt.push_back({prompt(1 + below(300), below(100)), {}});
        request.max_new_tokens = below(60);
        if (request.max_new_tokens == 0) request.logits_at = {0};
        request.ring_capacity = static_cast<std::size_t>(1 + below(20));
        request.n_logprobs = below(3) - 1;
        request.sampler.do_sample = below(2) == 0;
        request.external_scores = below(6) == 0;
        if (!request.external_scores && request.max_new_tokens > 0 && below(6) == 0)
            request.beams.n_beams = 2;
        if (below(8) == 0) request.max_time_ms = 1.0 + below(5);
        if (below(4) == 0) request.overflow = Overflow::shift;
        request.waker = channel_;
        readers_.push_back({engine_.submit(std::move(request))});
        ++totals.calls;
    }

    void drain() {
        for (Reader& reader : readers_) {
            if (reader.is_done) continue;
            const Drained drained = engine_.drain(*reader.call);
            reader.n_drained += std::ssize(drained.tokens);
            reader.is_done = drained.state == CallState::done;
            if (reader.is_done && !drained.error) ++totals.whole;
            if (drained.state == CallState::awaiting_scores)
                engine_.submit_scores(*reader.call, engine_.scores(*reader.call));
        }
    }

    // What release() and the finalizer do.
    void leave(Reader& reader) {
        if (!reader.is_done) engine_.cancel(*reader.call, FinishReason::cancelled, reader.n_drained);
        reader.is_done = true;
    }

    void change_session() {
        if (sessions_.empty()) return;
        Sequence& session = *sessions_[static_cast<std::size_t>(below(count(sessions_)))];
        const std::int64_t length = engine_.length(session);
        if (engine_.tokens(session).empty()) return;
        if (below(2) == 0)
            sessions_.push_back(engine_.fork(session, length));
        else
            engine_.truncate(session, length / 2);
        if (below(3) == 0) engine_.evict(session);
    }

    // As a job of binding/session.cpp: on a thread of its own, while the session is held.
    void save() {
        if (sessions_.empty() || savers_.size() > 4) return;
        auto session = sessions_[static_cast<std::size_t>(below(count(sessions_)))];
        engine_.hold(*session);
        savers_.emplace_back([this, session] {
            std::vector<std::byte> block(engine_.block_bytes());
            try {
                for (std::int64_t i = 0; engine_.read_block(*session, i, block.data(), nullptr); ++i)
                    ++totals.saved;
            } catch (const Error& error) {
                if (error.code() != ErrorCode::disposed) std::abort();
            }
            engine_.release(*session);
        });
    }

    Engine& engine_;
    std::minstd_rand random_;
    fake_napi::Environment env_;
    std::shared_ptr<Channel> channel_;
    std::vector<Reader> readers_;
    std::vector<std::shared_ptr<Sequence>> sessions_;
    std::vector<std::thread> savers_;
};

// The engine ends in its own time what was left, and then nobody holds a block.
bool comes_back_whole(Engine& engine) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (engine.free_blocks() != kBlocks) {
        if (std::chrono::steady_clock::now() > limit) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

// What went wrong; null when nothing did. A call of its own must get what one gets that is alone.
const char* round(unsigned seed, const std::vector<Token>& expected) {
    Rig rig(kBlocks, 512, 64);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kEnvironments; ++i)
        threads.emplace_back([&engine = *rig.engine, seed, i] { Life(engine, seed * 31 + i).run(); });
    const bool is_stopped = seed % 3 == 0;
    bool is_good = true;
    if (is_stopped) {
        std::this_thread::sleep_for(std::chrono::microseconds(seed % 5000));
        std::thread other([&rig] { rig.engine->stop(); });
        rig.engine->stop();
        other.join();
    } else {
        is_good = rig.generate(prompt(70, 3), 20) == expected;
    }
    for (std::thread& thread : threads) thread.join();
    if (!is_good) return "other ids";
    return comes_back_whole(*rig.engine) ? nullptr : "blocks of the KV pool are lost";
}

}  // namespace

int main(int argc, char** argv) {
    const int n_rounds = argc > 1 ? std::atoi(argv[1]) : 20;
    const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
    const std::vector<Token> expected = Rig(kBlocks, 512, 64).generate(prompt(70, 3), 20);
    for (int i = 0; i < n_rounds; ++i) {
        const char* problem = round(seed + static_cast<unsigned>(i), expected);
        if (!problem) continue;
        std::printf("FAILED in round %d of seed %u: %s\n", i, seed, problem);
        return 1;
    }
    std::printf("ok %d rounds, seed %u: %d calls, %d whole, %d wake-ups, %d blocks read, %d refusals\n",
                n_rounds, seed, totals.calls.load(), totals.whole.load(), totals.wakes.load(),
                totals.saved.load(), totals.refused.load());
    return 0;
}
