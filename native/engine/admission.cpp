#include "engine/admission.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/beams.h"
#include "model/kv_pool.h"

namespace neox {

namespace {

std::int64_t count_rows(const CallRequest& request, const Config& config) {
    std::int64_t n = 0;
    for (const PromptPart& part : request.prompt)
        n += std::ssize(part.ids) + std::ssize(part.embeddings) / config.n_embd;
    return n;
}

[[noreturn]] void fail_context(std::int64_t n_prompt, std::int64_t n_new, std::int32_t n_ctx) {
    fail(ErrorCode::context_full, "The prompt of ", n_prompt, " tokens and ", n_new, " new token",
         n_new == 1 ? "" : "s", " exceed the context of ", n_ctx, ".");
}

void check_prompt(const CallRequest& request, const Config& config) {
    const std::size_t n_embd = static_cast<std::size_t>(config.n_embd);
    for (const PromptPart& part : request.prompt) {
        for (const Token id : part.ids)
            if (id < 0 || id >= config.n_vocab)
                fail(ErrorCode::invalid_argument, "Token id ", id, " is outside the vocabulary of ",
                     config.n_vocab, ".");
        if (part.embeddings.size() % n_embd != 0)
            fail(ErrorCode::invalid_argument, "An embedding block of ", part.embeddings.size(),
                 " values is not a whole number of rows of ", config.n_embd, " (hiddenSize).");
        for (std::size_t i = 0; i < part.embeddings.size(); ++i)
            if (!std::isfinite(part.embeddings[i]))
                fail(ErrorCode::invalid_argument, "Embeddings must be finite, but row ", i / n_embd, " of ",
                     part.embeddings.size() / n_embd, " holds ", part.embeddings[i], " at index ", i % n_embd,
                     ".");
    }
}

void check_query(const CallRequest& request, std::int64_t n_prompt) {
    for (const auto* positions : {&request.logits_at, &request.hidden_at}) {
        for (std::size_t i = 0; i < positions->size(); ++i) {
            const std::int64_t pos = (*positions)[i];
            if (pos < 0 || pos >= n_prompt)
                fail(ErrorCode::invalid_argument, "Position ", pos, " is outside the prompt of ", n_prompt,
                     " rows.");
            if (i > 0 && pos <= (*positions)[i - 1])
                fail(ErrorCode::invalid_argument, "Positions must rise, but ", pos, " follows ",
                     (*positions)[i - 1], ".");
        }
    }
}

void check_score(const CallRequest& request, const Config& config, std::int64_t n_prompt) {
    if (request.score_from == 0 || request.score_from > n_prompt)
        fail(ErrorCode::invalid_argument, "Cannot score from position ", request.score_from, " of ", n_prompt,
             ".");
    if (request.score_from < 0) return;
    std::int64_t end = 0;
    for (const PromptPart& part : request.prompt) {
        end += std::ssize(part.ids) + std::ssize(part.embeddings) / config.n_embd;
        if (!part.embeddings.empty() && end > request.score_from)
            fail(ErrorCode::invalid_argument, "Embedding rows have no token id, so they cannot be scored.");
    }
}

// What the rows of drafts write to. Scores are not touched before they are used.
void prepare_speculation(Call& call, const Config& config) {
    const CallRequest& request = call.request;
    if (request.n_draft < Speculation::kAutomatic || request.n_draft > Speculation::kMostFixed)
        fail(ErrorCode::invalid_argument, "promptLookupNumTokens must be from 0 to ", Speculation::kMostFixed,
             ", not ", request.n_draft, ".");
    const bool is_wanted =
        request.n_draft != 0 && request.max_new_tokens > 1 && !request.external_scores && !call.beams;
    if (is_wanted) call.speculation = std::make_unique<Speculation>(request.n_draft);
    const std::size_t n = is_wanted ? static_cast<std::size_t>(call.speculation->most()) : 0;
    call.drawn.reserve(n + 1);
    if (!is_wanted) return;
    call.draft_outputs.argmax.resize(n);
    if (!call.sampler->is_plain_greedy() || request.n_logprobs >= 0)
        call.draft_outputs.scores.reset(n * static_cast<std::size_t>(config.n_vocab));
    call.draft_outputs.top_ids.resize(n * call.top_ids.size());
    call.draft_outputs.top_logprobs.resize(n * call.top_ids.size());
}

// Leaves in the prompt what is to be appended to the rows that it has in common with the sequence, and says how many they
// are. Rows behind others that were dropped have seen those, so they are not what a prompt without them would give.
std::int64_t trim_prompt(const Sequence& sequence, std::vector<PromptPart>& prompt) {
    const std::int64_t n = sequence.rows().n_dropped > 0 ? 0 : sequence.common_prefix(prompt);
    std::int64_t left = n;
    for (PromptPart& part : prompt) {
        const std::int64_t n_ids = std::min<std::int64_t>(left, std::ssize(part.ids));
        part.ids.erase(part.ids.begin(), part.ids.begin() + n_ids);
        left -= n_ids;
        const std::int64_t n_values =
            std::min<std::int64_t>(left * sequence.n_embd(), std::ssize(part.embeddings));
        part.embeddings.erase(part.embeddings.begin(), part.embeddings.begin() + n_values);
        left -= n_values / sequence.n_embd();
    }
    return n;
}

// Decides call.limit and call.n_overflow. Returns the most rows that the sequence will have.
std::int64_t place_in_context(Call& call, std::int32_t n_ctx, std::int32_t n_kv_blocks) {
    const CallRequest& request = call.request;
    const bool is_error = request.overflow == Overflow::error || request.max_new_tokens == 0;
    call.limit = is_error ? n_ctx : std::min<std::int64_t>(n_ctx, std::int64_t{n_kv_blocks} * kKvBlock);
    // Compared without adding: max_new_tokens may be anything.
    if (request.max_new_tokens <= call.limit - call.prompt_end)
        return call.prompt_end + request.max_new_tokens;
    if (is_error) fail_context(call.prompt_end, request.max_new_tokens, n_ctx);
    if (request.overflow == Overflow::shift) {
        // One block that can go is enough to go on.
        if (kept_by_shift(call) > call.limit - kKvBlock)
            fail(ErrorCode::context_full, "The context of ", call.limit, " cannot shift: beside ",
                 kept_by_shift(call), " tokens that stay (overflowKeep) it has no ", kKvBlock,
                 " that could go.");
        return call.limit;
    }
    const std::int64_t n_new = request.max_new_tokens, keep = request.overflow_keep;
    if (keep < 0 || keep >= call.limit || n_new >= call.limit - keep)
        fail(ErrorCode::context_full, "The context of ", call.limit, " has no room for ", keep,
             " kept tokens (overflowKeep), a prompt and ", n_new, " new ones.");
    call.n_overflow = call.prompt_end - (call.limit - n_new);
    call.prompt_end -= call.n_overflow;
    return call.limit;
}

}  // namespace

std::int64_t kept_by_shift(const Call& call) {
    constexpr std::int64_t kMost = std::int64_t{1} << 40;  // far beyond any context, and safe to round
    const std::int64_t keep = std::clamp<std::int64_t>(call.request.overflow_keep, 0, kMost);
    return (keep + kKvBlock - 1) / kKvBlock * kKvBlock;
}

void check_position(const Sequence& sequence, std::int64_t n_positions) {
    if (n_positions < 0 || n_positions > sequence.length())
        fail(ErrorCode::invalid_argument, "Position ", n_positions, " is outside the session's ",
             sequence.length(), ".");
}

void prepare_call(Call& call, const Config& config, std::int32_t n_ctx) {
    const CallRequest& request = call.request;
    const std::int64_t n_prompt = count_rows(request, config);
    if (n_prompt > n_ctx && request.overflow == Overflow::error)
        fail_context(n_prompt, request.max_new_tokens, n_ctx);
    check_prompt(request, config);
    if (request.max_new_tokens < 0)
        fail(ErrorCode::invalid_argument, "maxNewTokens must be at least 1, but is ", request.max_new_tokens,
             ".");
    check_query(request, n_prompt);
    check_score(request, config, n_prompt);
    call.sampler = std::make_unique<Sampler>(request.sampler, config.n_vocab);
    if (request.n_logprobs > config.n_vocab)
        fail(ErrorCode::invalid_argument, "Cannot give the ", request.n_logprobs, " most likely of ",
             config.n_vocab, ".");
    if (request.max_new_tokens > 0 && (request.beams.n_beams != 1 || request.beams.n_return != 1)) {
        check_beam_options(request.beams, request.sampler, request.max_new_tokens, config.n_vocab);
        if (request.external_scores)
            fail(ErrorCode::invalid_argument, "A logitsProcessor cannot stand beside numBeams ",
                 request.beams.n_beams, ".");
        if (request.overflow != Overflow::error)
            fail(ErrorCode::invalid_argument, "contextOverflow is for one sequence, not for numBeams ",
                 request.beams.n_beams, ".");
        call.beams = std::make_shared<Beams>(request, config.n_vocab);
    }
    const std::size_t n_vocab = static_cast<std::size_t>(config.n_vocab);
    call.scores.resize(request.max_new_tokens > 0 ? n_vocab : 0);
    const std::size_t n_top =
        request.n_logprobs < 0 ? 0 : static_cast<std::size_t>(std::max(request.n_logprobs, 1));
    call.top_ids.resize(n_top);
    call.top_logprobs.resize(n_top);
    call.raw_scores.resize(n_top > 0 ? n_vocab : 0);
    prepare_speculation(call, config);
    call.logits.resize(request.logits_at.size() * n_vocab);
    call.hidden.resize(request.hidden_at.size() * static_cast<std::size_t>(config.n_embd));
    if (request.score_from >= 1)
        call.target_logprobs.assign(static_cast<std::size_t>(n_prompt - request.score_from),
                                    std::numeric_limits<float>::quiet_NaN());
    call.prompt_end = n_prompt;  // until it is placed
}

void place_call(Call& call, std::int32_t n_ctx, std::int32_t n_kv_blocks) {
    Sequence& sequence = *call.request.sequence;
    call.begin = call.request.replace ? trim_prompt(sequence, call.request.prompt) : sequence.length();
    if (!call.request.replace) call.prompt_end += call.begin;
    if (call.prompt_end == 0)
        fail(ErrorCode::invalid_argument, "The prompt is empty: there is nothing to continue.");
    const std::int64_t length = place_in_context(call, n_ctx, n_kv_blocks);
    // The last sampled token is never fed within the call; a partly filled block shared with a fork is copied.
    call.promised_blocks =
        call.beams ? beam_blocks(call.prompt_end, call.request.max_new_tokens, call.request.beams.n_beams)
                   : (length + kKvBlock - 1) / kKvBlock;
    if (call.promised_blocks > n_kv_blocks)
        fail(ErrorCode::kv_full, "The call needs ", call.promised_blocks, " KV blocks of ", kKvBlock,
             " positions, but the pool has ", n_kv_blocks, " (kvCacheBytes).");
    sequence.reserve(call.request.prompt, std::max(length, call.prompt_end + call.n_overflow));
    call.processor_ids.reserve(static_cast<std::size_t>(length));
    if (call.speculation) call.speculation->reserve(length);
    call.ring.reserve(
        std::min(call.request.ring_capacity, static_cast<std::size_t>(call.request.max_new_tokens)));
}

void begin_call(Call& call) {
    Sequence& sequence = *call.request.sequence;
    if (call.request.replace) sequence.truncate(call.begin);
    const std::int64_t n_before = sequence.n_cached;
    sequence.append(call.request.prompt);
    const bool has_embeddings = sequence.has_embeddings();
    const std::int64_t keep = call.request.overflow_keep;
    if (call.n_overflow > 0) {
        sequence.drop_and_restart(keep, call.n_overflow, call.begin);
        if (call.begin > keep) call.begin = std::max(keep, call.begin - call.n_overflow);
    }
    // Nothing new to feed: the last row is computed again, with the arithmetic it had first, for its logits.
    if (sequence.n_cached == sequence.length()) sequence.n_cached = sequence.length() - 1;
    // As in transformers: the processors of a prompt given as embeddings see the new ids only.
    if (call.request.replace) call.n_reused = std::min(n_before, sequence.n_cached);
    if (!has_embeddings) call.processor_ids.assign(sequence.tokens().begin(), sequence.tokens().end());
    call.processor_prompt = call.processor_ids.size();
}

}  // namespace neox
