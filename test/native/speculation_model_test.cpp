// Speculation on the real backend: ids, log-probabilities and logits bit for bit those of single steps, for every
// arithmetic, KV type and weight type, and under every RoPE scaling.
#include <cstring>

#include "check.h"
#include "golden.h"

namespace {

using namespace neox;
using golden::EngineSetup;
using golden::Rig;

using golden::path_of;

struct Answer {
    std::vector<SampledToken> tokens;
    std::vector<float> logits;  // of all rows, computed again from the same cache's end
    std::int64_t n_accepted = 0;
};

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof(float)) == 0; }

bool operator==(const Answer& a, const Answer& b) {
    if (a.tokens.size() != b.tokens.size() || a.logits.size() != b.logits.size()) return false;
    for (std::size_t i = 0; i < a.tokens.size(); ++i) {
        const SampledToken &x = a.tokens[i], &y = b.tokens[i];
        if (x.id != y.id || !same_bits(x.logprob, y.logprob) || x.top.size() != y.top.size()) return false;
        for (std::size_t j = 0; j < x.top.size(); ++j)
            if (x.top[j].id != y.top[j].id || !same_bits(x.top[j].logprob, y.top[j].logprob)) return false;
    }
    for (std::size_t i = 0; i < a.logits.size(); ++i)
        if (!same_bits(a.logits[i], b.logits[i])) return false;
    return true;
}

// A prompt that repeats itself, with one id changed; few ids are allowed, so that drafts come true also when sampled. The
// logits of a query that follows tell whether the cache is the same.
Answer answer(Rig& rig, std::int32_t n_draft, bool is_sampled, std::int64_t n_new) {
    const std::int32_t n_vocab = rig.model->config().n_vocab;
    std::vector<Token> ids;
    for (int i = 0; i < 60; ++i) ids.push_back(i == 33 ? 7 : 5 + i % 20);
    CallRequest r = rig.request(std::move(ids), n_new);
    const std::shared_ptr<Sequence> sequence = r.sequence;
    r.n_draft = n_draft;
    r.n_logprobs = 3;
    r.sampler.do_sample = is_sampled;
    r.sampler.repetition_penalty = 1.1;
    r.sampler.seed = 20;
    for (Token id = 4; is_sampled && id < n_vocab; ++id) r.sampler.suppress_tokens.push_back(id);
    Answer out;
    const auto call = rig.run(std::move(r));
    Drained drained = rig.engine->drain(*call);
    out.tokens = std::move(drained.tokens);
    out.n_accepted = drained.timings.n_accepted;
    CallRequest query = rig.request({5}, 0);
    query.sequence = sequence;
    query.logits_at = {0};
    out.logits = rig.run(std::move(query))->logits;
    return out;
}

void check_same(const std::string& name, const EngineSetup& setup, std::int64_t n_new) {
    Rig rig(path_of(name), setup);
    std::int64_t n_accepted = 0;
    for (const bool is_sampled : {false, true}) {
        const Answer plain = answer(rig, 0, is_sampled, n_new);
        for (const std::int32_t n_draft : {1, 3, 15, -1}) {
            const Answer drafted = answer(rig, n_draft, is_sampled, n_new);
            CHECK(drafted == plain);
            n_accepted += drafted.n_accepted;
        }
    }
    CHECK(n_accepted > 0);
}

}  // namespace

TEST(drafts_change_no_bit_in_any_arithmetic) {
    for (const auto type :
         {std::optional<FileType>{}, std::optional(FileType::F16), std::optional(FileType::BF16),
          std::optional(FileType::Q8_0), std::optional(FileType::Q4_0), std::optional(FileType::Q4_K_M)})
        for (const Precision precision : {Precision::exact, Precision::high, Precision::fast})
            for (const KvType kv : {KvType::f32, KvType::f16}) {
                EngineSetup setup;
                setup.precision = precision;
                setup.kv_type = kv;
                setup.type = type;
                check_same("rinna-3.6b", setup, 40);
            }
}

TEST(drafts_change_no_bit_under_any_rope_scaling_and_residual) {
    // Dynamic scaling changes the rotation of each step beyond the trained context.
    for (const char* name :
         {"sequential-dynamic-rope", "sequential-linear-rope", "parallel-quarter-rotary", "odd-shapes"}) {
        EngineSetup setup;
        setup.precision = Precision::fast;
        setup.n_threads = 3;
        check_same(name, setup, 150);
    }
}

TEST(drafts_of_calls_that_run_together_change_no_bit) {
    EngineSetup setup;
    setup.precision = Precision::fast;
    setup.type = FileType::Q8_0;
    setup.kv_type = KvType::f16;
    Rig rig(path_of("rinna-3.6b"), setup);
    const auto request = [&](int i, std::int32_t n_draft) {
        std::vector<Token> ids;
        for (int j = 0; j < 30 + i; ++j) ids.push_back(5 + j % (7 + i));
        CallRequest r = rig.request(std::move(ids), 50);
        r.n_draft = n_draft;
        r.n_logprobs = 0;
        return r;
    };
    const auto read = [&](const std::shared_ptr<Call>& call) {
        rig.engine->wait(*call);
        return Answer{rig.engine->drain(*call).tokens, {}};
    };
    std::vector<Answer> alone;
    for (int i = 0; i < 5; ++i) alone.push_back(read(rig.engine->submit(request(i, 0))));
    std::vector<std::shared_ptr<Call>> calls;
    for (int i = 0; i < 5; ++i) calls.push_back(rig.engine->submit(request(i, i == 2 ? 0 : 6)));
    for (std::size_t i = 0; i < 5; ++i) CHECK(read(calls[i]) == alone[i]);
}
