// The engine of one model: one thread that admits calls, builds batches, runs the backend, samples and wakes the callers.
// It knows ids only. All functions are thread-safe and short: the mutex is never held during a forward pass.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/thread.h"
#include "engine/call.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "model/backend.h"
#include "model/kv_pool.h"
#include "model/profile.h"

namespace neox {

struct EngineOptions {
    std::int32_t n_ctx = 2048;       // positions of one sequence
    std::int32_t n_kv_blocks = 128;  // as the backend was made with
    std::int32_t max_rows = 512;     // rows of one batch, at most what the backend was made with
};

// What drain() hands over.
struct Drained {
    std::int64_t n_reused = 0;  // rows of the prompt that were cached already
    std::vector<SampledToken> tokens;
    std::vector<BeamOutput> outputs;  // of a search, once: when it is done
    CallState state = CallState::waiting;
    FinishReason finish = FinishReason::none;
    std::optional<Error> error;
    CallTimings timings;
};

class Engine {
public:
    // Takes the backend over and destroys it. `config` gives n_layer, n_embd and n_vocab.
    Engine(const Config& config, Backend backend, const EngineOptions& options);
    ~Engine() { stop(); }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    const EngineOptions& options() const { return options_; }

    // Ends every call with ERR_NEOX_DISPOSED, within one layer's time, and destroys the backend. What was drained before
    // stays valid, and calls can still be drained; submit() throws ERR_NEOX_DISPOSED from now on. Idempotent. Does
    // nothing in another process.
    void stop();
    // fork() copies the memory, not the thread: there the engine is good for nothing, and must not even be destroyed, since
    // that would wait for the thread.
    bool is_of_another_process() const;

    std::shared_ptr<Sequence> create_sequence(SequenceRows rows = {});
    // These three throw ERR_NEOX_BUSY while a call runs on the sequence, ERR_NEOX_INVALID_ARGUMENT for a position outside it.
    void truncate(Sequence& sequence, std::int64_t n_positions);
    std::shared_ptr<Sequence> fork(const Sequence& sequence, std::int64_t n_positions);
    void evict(Sequence& sequence);
    std::vector<Token> tokens(const Sequence& sequence);
    std::int64_t length(const Sequence& sequence);
    std::int64_t n_dropped(const Sequence& sequence);  // rows that an overflow of the context took out

    // Checks and queues. Throws ERR_NEOX_INVALID_ARGUMENT, ERR_NEOX_CONTEXT_FULL, ERR_NEOX_KV_FULL (it can never fit),
    // ERR_NEOX_BUSY (another call runs on the sequence), ERR_NEOX_DISPOSED; ERR_NEOX_UNSUPPORTED after a fork().
    std::shared_ptr<Call> submit(CallRequest request);
    // Asks a call to end within one layer's time. The sequence keeps the prompt and the first `keep_tokens` generated
    // tokens; a prompt that was not finished is taken back whole, and so is that of a cancelled call that keeps no token.
    // Nothing happens when the call is done, except that the sequence is truncated likewise.
    void cancel(Call& call, FinishReason reason, std::int64_t keep_tokens);
    // Takes what is ready; a paused sequence goes on.
    Drained drain(Call& call);
    // State awaiting_scores: the scores after the processors ([n_vocab]), and the way to give them back, changed. A call
    // that ended meanwhile lets them go.
    std::vector<float> scores(Call& call);
    void submit_scores(Call& call, std::span<const float> scores);

    // Blocks until the call is done (tests, and callers without an event loop).
    void wait(Call& call);

    std::int32_t free_blocks();
    // Memory of the KV cache that was ever used; what was not is no more than addresses.
    std::size_t kv_bytes() const;

    // Between the two the passes are measured; end_profile() gives what came together and zeros where nothing was started.
    void start_profile();
    Profile end_profile();

    // Between hold() (ERR_NEOX_BUSY) and release() a sequence is as if a call ran on it, but others may take its blocks.
    void hold(Sequence& sequence);
    void release(Sequence& sequence);
    std::size_t block_bytes() const { return backend_.kv_block_bytes; }
    // For threads that may wait, on a sequence that they hold: the engine's thread copies one block between two batches,
    // to or from block_bytes() of memory. Both throw ERR_NEOX_DISPOSED, ERR_NEOX_CANCELLED (`cancel` may be null).
    // read_block: positions [64 * index, 64 * (index + 1)); false when they are not cached. write_block: the same positions
    // when exactly those before them are cached; false when they are not, or when no block can be had.
    bool read_block(Sequence& sequence, std::int64_t index, std::byte* dst, const std::atomic<bool>* cancel);
    bool write_block(Sequence& sequence, std::int64_t index, const std::byte* src,
                     const std::atomic<bool>* cancel);

private:
    using Lock = std::unique_lock<std::mutex>;
    void check_process() const;
    // Work for the engine's thread that somebody waits for; run() may let go of the mutex.
    struct Errand {
        std::function<void(Lock& lock)> run;
        enum class State { waiting, running, done } state = State::waiting;
        std::optional<Error> error;
    };
    void run_errand(std::function<void(Lock& lock)> run, const std::atomic<bool>* cancel);
    void do_errand(Lock& lock);
    void fail_errands();

    void run();
    bool wake_callers(std::unique_lock<std::mutex>& lock);
    void fail_all(const Error& error);
    void admit();
    void handle_cancels();
    double ms_to_deadline() const;
    void shift_full(Lock& lock);
    void shift(Call& call, Lock& lock);
    void make_room(Sequence& sequence, std::int64_t begin, std::int64_t end);
    void step(std::unique_lock<std::mutex>& lock);
    void draw();
    void absorb();
    void absorb_part(const Plan::Part& part);
    void push(Call& call, SampledToken token);
    void push_beams(Call& call);
    void finish(Call& call, FinishReason reason);
    void fail_call(Call& call, const Error& error);
    std::int64_t end_position(const Call& call, FinishReason reason) const;
    void settle(Call& call, std::int64_t n_positions);
    void track(const std::shared_ptr<Sequence>& sequence);

    const std::uint64_t process_;  // whose thread runs; fork() copies memory, not threads
    const Config config_;
    Backend backend_;
    const EngineOptions options_;
    const std::shared_ptr<KvPool> pool_;

    std::once_flag stop_once_;
    std::mutex mutex_;
    std::condition_variable work_;      // for the engine's thread
    std::condition_variable finished_;  // for wait()
    bool stopping_ = false;
    std::uint64_t tick_ = 0;
    std::vector<std::weak_ptr<Sequence>> sequences_;  // all alive, for eviction
    std::vector<std::shared_ptr<Call>> waiting_;      // in order of arrival
    std::vector<std::shared_ptr<Call>> running_;
    std::deque<Errand*> errands_;  // of threads that wait for them; one is done between two batches
    static constexpr std::size_t kMostWakers = 16;
    std::vector<std::shared_ptr<Waker>>
        waking_;  // the engine's thread alone; room for kMostWakers from the start
    Plan plan_;
    StepCosts costs_;
    bool is_profiling_ = false;
    Profile profile_;
    Thread thread_;
};

}  // namespace neox
