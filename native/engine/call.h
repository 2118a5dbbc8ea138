// One piece of work for the engine: a prompt to feed, then either tokens to generate or values to read off its rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "engine/beam_search.h"
#include "engine/sampler.h"
#include "engine/sequence.h"
#include "engine/speculation.h"

namespace neox {

// Told that calls have news; may be called from the engine's thread and must return at once.
struct Waker {
    virtual ~Waker() = default;
    virtual void wake() noexcept = 0;
};

enum class FinishReason : std::int32_t { none = 0, eos, stop, length, time, cancelled };

struct TokenLogprob {
    Token id;
    float logprob;
};

// A sampled token. The log-probabilities are those of the model's own logits, before any processor.
struct SampledToken {
    Token id;
    float logprob = 0.0f;             // when asked for
    std::vector<TokenLogprob> top{};  // most likely first
};

// What becomes of a call that does not fit into the context: it is refused; the oldest rows are dropped before it begins and
// those behind them computed as one new prompt; or the oldest rows are dropped, in whole KV blocks, whenever the context is
// full, and the cached keys of the others turned to their new positions.
enum class Overflow : std::int32_t { error = 0, truncate_left, shift };

// One of the sequences that a search gives.
struct BeamOutput {
    std::vector<SampledToken> tokens;
    float score = 0.0f;  // after the length penalty
    FinishReason finish = FinishReason::none;
};

struct Beams;

// What the caller asks; not changed after submit().
struct CallRequest {
    std::shared_ptr<Sequence> sequence;  // appended to
    std::vector<PromptPart> prompt;
    // Of a generation: the prompt takes the place of all that the sequence holds; the rows that both begin with are kept.
    bool replace = false;
    Overflow overflow = Overflow::error;
    std::int64_t overflow_keep =
        0;  // rows at the beginning that are never dropped; `shift` keeps whole blocks

    // Generation, when max_new_tokens > 0.
    std::int64_t max_new_tokens = 0;
    SamplerConfig sampler;
    std::uint32_t choice = 0;      // distinguishes draws of several outputs with one seed
    std::int32_t n_logprobs = -1;  // -1: none; else log-probabilities of the token and of the n most likely
    bool external_scores =
        false;          // a step of the caller's own between the processors and the draw; not with beams
    BeamOptions beams;  // n_beams > 1: a search, whose outcome comes at its end
    double max_time_ms = 0.0;         // from the start of the call; 0: no limit
    std::size_t ring_capacity = 128;  // tokens that may wait for the consumer before the sequence pauses
    // Tokens drafted by prompt lookup: Speculation::kAutomatic, 0 (none) to kMostFixed. None with external scores and beams.
    std::int32_t n_draft = Speculation::kAutomatic;

    // Queries, when max_new_tokens is 0. Positions count from the start of the call's prompt.
    std::vector<std::int64_t> logits_at;
    std::vector<std::int64_t> hidden_at;
    std::int64_t score_from = -1;  // >= 1: log-probability of every prompt token from this one on

    std::shared_ptr<Waker> waker;  // may be null
};

using Clock = std::chrono::steady_clock;

inline double ms_between(Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double, std::milli>(b - a).count();
}

struct CallTimings {
    double queue_ms = 0.0;                       // until the engine took it
    double prefill_ms = 0.0;                     // until the first token, or the end of a query
    double decode_ms = 0.0;                      // after the first token
    std::int64_t n_drafted = 0, n_accepted = 0;  // tokens of Speculation
};

// What the rows of a draft give, [the longest draft] of each; the pending row's is the call's own.
struct DraftOutputs {
    std::vector<std::int32_t> argmax;
    AlignedBuffer<float> scores;  // [n_vocab] each
    std::vector<std::int32_t> top_ids;
    std::vector<float> top_logprobs;
};

enum class CallState : std::int32_t { waiting, running, awaiting_scores, done };

// A submitted call. Everything but cancel_flag is guarded by the engine's mutex; read it through Engine::drain().
struct Call {
    explicit Call(CallRequest r) : request(std::move(r)) {}

    CallRequest request;
    std::atomic<std::int32_t> cancel_flag{0};  // read by the backend between layers

    CallState state = CallState::waiting;
    FinishReason finish = FinishReason::none;
    std::optional<Error> error;
    std::vector<SampledToken> ring;      // sampled and not drained yet
    std::vector<BeamOutput> outputs;     // of a search that is done; the first continues the sequence
    std::vector<float> logits;           // [logits_at.size(), n_vocab]
    std::vector<float> hidden;           // [hidden_at.size(), n_embd]
    std::vector<float> target_logprobs;  // of the prompt's tokens from score_from on
    CallTimings timings;
    std::int64_t keep_tokens = -1;  // set with cancel_flag: generated tokens that stay in the sequence

    std::int64_t begin = 0;  // position of the prompt's first row
    std::int64_t prompt_end =
        0;  // position after the prompt; below 0 once a shift has dropped more than the prompt
    std::int64_t limit = 0;       // positions that the sequence may have
    std::int64_t n_overflow = 0;  // rows that truncate_left drops at the beginning
    std::int64_t n_shifted = 0;   // rows that shifts have dropped
    std::int64_t n_reused = 0;    // rows of the prompt that were cached already
    std::int64_t n_generated = 0;
    std::int64_t promised_blocks = 0;
    std::unique_ptr<Sampler> sampler;
    std::shared_ptr<Beams> beams;      // of a search that runs
    std::vector<Token> processor_ids;  // what the processors see
    std::size_t processor_prompt = 0;
    std::vector<float> scores;      // [n_vocab] of the row being sampled
    std::vector<float> raw_scores;  // the same before the processors, when log-probabilities are asked for
    std::vector<std::int32_t> top_ids;
    std::vector<float> top_logprobs;
    std::int32_t argmax = 0;
    bool has_news = false;                     // its waker is due
    SampledToken pending{};                    // the token being sampled
    std::vector<SampledToken> drawn;           // by the last batch: one, or more where a draft came true
    std::unique_ptr<Speculation> speculation;  // null: none
    DraftOutputs draft_outputs;
    enum class Draw { none, token, beams, awaits_scores, failed } draw = Draw::none;  // how sampling went
    std::optional<Error> draw_error;  // why it failed; the sampling thread's, unlike `error`
    Clock::time_point submitted, admitted, first_token;
};

inline bool is_cancelled(const Call& call) { return call.cancel_flag.load(std::memory_order_relaxed) != 0; }

// Whether the call ends with this token.
inline bool is_eos(const Call& call, Token id) {
    const std::vector<Token>& eos = call.sampler->config().eos_token_id;
    return std::find(eos.begin(), eos.end(), id) != eos.end();
}

}  // namespace neox
