// Drafts by prompt lookup: what is found, what is taken, and that no draft ever changes what a call gives.
#include "engine/speculation.h"

#include <algorithm>

#include "engine_rig.h"

using namespace engine_test;

namespace {

struct Outcome {
    std::vector<Token> ids;
    FinishReason finish = FinishReason::none;
    std::string error;
    std::vector<Token> sequence;
    std::int64_t n_drafted = 0, n_accepted = 0;

    bool operator==(const Outcome& other) const {
        return ids == other.ids && finish == other.finish && error == other.error &&
               sequence == other.sequence;
    }
};

Outcome outcome_of(Rig& rig, const std::shared_ptr<Call>& call) {
    Outcome outcome;
    Drained drained;
    do {
        drained = rig.engine->drain(*call);
        for (const SampledToken& token : drained.tokens) outcome.ids.push_back(token.id);
    } while (drained.state != CallState::done || !drained.tokens.empty());
    outcome.finish = drained.finish;
    outcome.error = drained.error ? drained.error->what() : "";
    outcome.sequence = rig.engine->tokens(*call->request.sequence);
    outcome.n_drafted = drained.timings.n_drafted;
    outcome.n_accepted = drained.timings.n_accepted;
    return outcome;
}

// A network that copies the text 40 positions before, with a slip now and then.
struct EchoRig : Rig {
    explicit EchoRig(std::int32_t n_blocks = 64) : Rig(n_blocks) { state->echo = 40; }
};

template <class Change> Outcome run(std::int32_t n_draft, Change&& change) {
    EchoRig rig;
    CallRequest r = rig.request(prompt(50, 3), 200);
    r.n_draft = n_draft;
    change(rig, r);
    return outcome_of(rig, rig.engine->submit(std::move(r)));
}

// The same with every kind of draft, and with none; drafts must have been made and have come true.
template <class Change> Outcome check_lossless(Change&& change) {
    const Outcome plain = run(0, change);
    CHECK_EQ(plain.n_drafted, 0);
    std::int64_t n_accepted = 0;
    for (const std::int32_t n_draft : {1, 4, 15, 64, -1}) {
        const Outcome drafted = run(n_draft, change);
        CHECK(drafted == plain);
        CHECK(drafted.n_accepted <= drafted.n_drafted);
        n_accepted += drafted.n_accepted;
    }
    CHECK(n_accepted > 0);
    return plain;
}

NgramLookup::Match longest_match(const std::vector<Token>& ids) {
    NgramLookup::Match best;
    for (std::size_t end = ids.size() - 1; end-- > 0;) {  // the last position of an earlier occurrence
        std::int32_t n = 0;
        while (n < NgramLookup::kLongest && n <= static_cast<std::int32_t>(end) &&
               ids[end - static_cast<std::size_t>(n)] >= 0 &&
               ids[end - static_cast<std::size_t>(n)] == ids[ids.size() - 1 - static_cast<std::size_t>(n)])
            ++n;
        if (n >= NgramLookup::kLeast && n > best.length) best = {static_cast<std::int64_t>(end) + 1, n};
    }
    return best;
}

}  // namespace

TEST(ngram_lookup_finds_the_longest_and_latest_match) {
    for (const Token n_ids : {2, 5, 30}) {
        NgramLookup lookup;
        lookup.reserve(600);
        std::vector<Token> ids;
        std::uint32_t state = 1;
        for (int i = 0; i < 600; ++i) {
            state = state * 1664525u + 1013904223u;
            ids.push_back(
                i % 50 == 17 ? -1 : static_cast<Token>((state >> 16) % static_cast<std::uint32_t>(n_ids)));
            if (i % 3 == 1) continue;  // lists may grow by more than one
            const NgramLookup::Match found = lookup.find(ids), expected = longest_match(ids);
            // It looks at the latest candidates only: with few ids the longest may be too far back.
            if (n_ids == 30) CHECK(found.next == expected.next && found.length == expected.length);
            CHECK((found.length > 0) == (expected.length > 0) || n_ids < 30);
            CHECK(found.length <= expected.length);
        }
    }
}

TEST(speculation_goes_on_into_its_own_proposal) {
    Speculation speculation(7);
    speculation.reserve(20);
    const std::vector<Token> ids{9, 1, 2, 3, 1, 2, 3, 1, 2};
    speculation.propose(ids, 100);
    speculation.take(speculation.n_offered());
    const auto draft = speculation.draft();
    CHECK(std::vector<Token>(draft.begin(), draft.end()) == (std::vector<Token>{3, 1, 2, 3, 1, 2, 3}));
    speculation.propose(ids, 2);
    CHECK_EQ(speculation.n_offered(), 2);
    speculation.propose(ids, -1);
    CHECK_EQ(speculation.n_offered(), 0);
}

TEST(speculation_stops_at_embeddings) {
    Speculation speculation(7);
    speculation.reserve(20);
    const std::vector<Token> ids{1, 2, 3, -1, -1, 5, -1, -1, 1, 2};
    speculation.propose(ids, 100);
    speculation.take(speculation.n_offered());
    CHECK_EQ(speculation.draft().size(), 1u);  // 3, and then an embedding
    const std::vector<Token> ends_in_embeddings{1, -1, -1, 5, 1, -1, -1};
    Speculation other(7);
    other.reserve(20);
    other.propose(ends_in_embeddings, 100);
    CHECK_EQ(other.n_offered(), 0);
}

TEST(step_costs_are_medians_and_estimates_between_them) {
    StepCosts costs;
    CHECK_EQ(costs.of(1), 1.0);
    CHECK(costs.of(8) > costs.of(2));
    for (const double ms : {10.0, 10.0, 500.0, 10.0, 11.0}) costs.add(1, ms);
    CHECK_EQ(costs.of(1), 10.0);
    CHECK(costs.of(4) > 10.0 && costs.of(4) < 20.0);  // not tried yet: thought to be cheap
    costs.add(5, 50.0);
    CHECK_EQ(costs.of(3), 30.0);
    CHECK(costs.of(9) > 50.0 && costs.of(40) > costs.of(9));
    for (int i = 0; i < 1001; ++i) costs.add(1, 20.0);  // what was measured long ago is forgotten
    CHECK(costs.of(5) < 50.0);
    costs.add(1000, 1.0);
    CHECK_EQ(costs.of(1), 20.0);
}

TEST(drafts_are_taken_where_they_pay) {
    const std::vector<Token> ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6};
    const auto taken = [&](double ms_per_row, int n_hits, int n_misses, std::int32_t n_rows = 1) {
        StepCosts costs;
        for (std::int32_t n = 1; n <= 32; ++n) costs.add(n, 10.0 + ms_per_row * (n - 1));
        Speculation speculation(Speculation::kAutomatic);
        speculation.reserve(100);
        for (int i = 0; i < n_hits + n_misses; ++i) {
            speculation.propose(ids, 1);
            CHECK(!speculation.accept(i < n_hits ? 7 : 99));  // learnt from, though never taken
        }
        speculation.propose(ids, 100);
        Speculation* const calls[] = {&speculation};
        const std::int32_t n = take_drafts(calls, n_rows, 100, costs);
        CHECK_EQ(speculation.draft().size(), static_cast<std::size_t>(n));
        return n;
    };
    CHECK(taken(0.1, 30, 0) >= 8);   // nearly free
    CHECK(taken(10.0, 30, 0) == 0);  // as dear as steps of their own
    CHECK(taken(0.5, 0, 30) == 0);   // never comes true
    CHECK(taken(3.0, 30, 0) > 0);
    CHECK(taken(3.0, 30, 0) < taken(0.1, 30, 0));
    CHECK(taken(0.1, 30, 0, 16) == 0);  // the batch is wide enough
    CHECK(taken(0.1, 30, 0, 12) <= 4);
}

TEST(drafts_of_several_calls_share_the_rows) {
    const std::vector<Token> ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6};
    StepCosts costs;
    for (std::int32_t n = 1; n <= 32; ++n) costs.add(n, 10.0 + 0.2 * (n - 1));
    Speculation good(Speculation::kAutomatic), bad(Speculation::kAutomatic), fixed(3);
    for (Speculation* each : {&good, &bad, &fixed}) each->reserve(100);
    for (int i = 0; i < 30; ++i) {
        good.propose(ids, 1);
        good.accept(7);
        bad.propose(ids, 1);
        bad.accept(99);
    }
    Speculation* const calls[] = {&good, &bad, &fixed};
    for (Speculation* each : calls) each->propose(ids, 100);
    const std::int32_t n = take_drafts(calls, 3, 100, costs);
    CHECK_EQ(fixed.draft().size(), 3u);
    CHECK(good.draft().size() > bad.draft().size());
    CHECK_EQ(n, static_cast<std::int32_t>(good.draft().size() + bad.draft().size() + 3));
    CHECK(3 + n <= 16);
    for (Speculation* each : calls) each->propose(ids, 100);
    CHECK_EQ(take_drafts(calls, 3, 2, costs), 2);  // no room for more
    for (Speculation* each : calls) each->propose(ids, 100);
    CHECK_EQ(take_drafts(calls, 3, 0, costs), 0);
}

TEST(drafts_change_nothing_greedy) {
    const Outcome plain = check_lossless([](Rig&, CallRequest&) {});
    CHECK_EQ(plain.ids.size(), 200u);
    const Outcome drafted = run(15, [](Rig&, CallRequest&) {});
    CHECK(drafted.n_accepted > 100);
}

TEST(drafts_change_nothing_sampled) {
    for (const std::uint64_t seed : {1u, 2u, 3u})
        check_lossless([seed](Rig&, CallRequest& r) {
            r.sampler.do_sample = true;
            r.sampler.seed = seed;
            r.sampler.temperature = 2.5;
            r.sampler.top_p = 0.95;
        });
}

TEST(drafts_change_nothing_for_processors_that_see_the_ids) {
    check_lossless([](Rig&, CallRequest& r) { r.sampler.repetition_penalty = 1.3; });
    check_lossless([](Rig&, CallRequest& r) {
        r.sampler.no_repeat_ngram_size = 6;
        r.sampler.do_sample = true;
    });
    check_lossless([](Rig&, CallRequest& r) {
        r.sampler.eos_token_id = {3};
        r.sampler.min_new_tokens = 90;
        r.sampler.exponential_decay_length_penalty = std::pair(50, 1.02);
    });
}

TEST(drafts_change_nothing_whatever_ends_a_call) {
    const std::vector<Token> ids = run(0, [](Rig&, CallRequest&) {}).ids;
    for (std::int64_t n_new = 1; n_new <= 24; ++n_new) {
        const auto limit = [n_new](Rig&, CallRequest& r) { r.max_new_tokens = n_new; };
        const Outcome plain = run(0, limit);
        CHECK(plain.finish == FinishReason::length);
        for (const std::int32_t n_draft : {3, 64, -1}) CHECK(run(n_draft, limit) == plain);
    }
    for (std::size_t i = 1; i < 40; i += 3) {
        const auto end = [&ids, i](Rig&, CallRequest& r) { r.sampler.eos_token_id = {ids[i]}; };
        const Outcome plain = run(0, end);
        CHECK(plain.finish == FinishReason::eos);
        for (const std::int32_t n_draft : {3, 64, -1}) CHECK(run(n_draft, end) == plain);
    }
}

TEST(drafts_keep_to_the_ring) {
    const Outcome plain = run(0, [](Rig&, CallRequest&) {});
    for (const std::size_t capacity : {1, 2, 3, 7}) {
        EchoRig rig;
        CallRequest r = rig.request(prompt(50, 3), 200);
        r.n_draft = 15;
        r.ring_capacity = capacity;
        const auto call = rig.engine->submit(std::move(r));
        std::vector<Token> ids;
        for (Drained drained; drained.state != CallState::done;) {
            drained = rig.engine->drain(*call);
            CHECK(drained.tokens.size() <= capacity);
            for (const SampledToken& token : drained.tokens) ids.push_back(token.id);
        }
        CHECK(ids == plain.ids);
    }
}

TEST(drafts_of_rows_that_do_not_count_raise_no_error) {
    const std::vector<Token> ids = run(0, [](Rig&, CallRequest&) {}).ids;
    // A NaN behind the end of the answer is never seen, one before it ends the call after the same tokens.
    for (std::size_t last = 20; last < 60; ++last) {
        const auto change = [&](Rig& rig, CallRequest& r) {
            r.sampler.eos_token_id = {ids[last]};
            rig.state->nan_at = static_cast<int>(50 + last);
        };
        const Outcome plain = run(0, change);
        for (const std::int32_t n_draft : {4, 64}) CHECK(run(n_draft, change) == plain);
    }
}

TEST(drafts_leave_sessions_as_they_would_be) {
    const auto talk = [](std::int32_t n_draft) {
        EchoRig rig;
        std::vector<std::vector<Token>> all;
        const std::int32_t n_free = rig.engine->free_blocks();
        auto sequence = rig.engine->create_sequence();
        const auto say = [&](int seed, std::int64_t n_new, const std::shared_ptr<Sequence>& to) {
            CallRequest r = rig.request(prompt(seed == 0 ? 0 : 11, seed), n_new, to);
            r.n_draft = n_draft;
            all.push_back(outcome_of(rig, rig.engine->submit(std::move(r))).ids);
            all.push_back(rig.engine->tokens(*to));
        };
        say(3, 90, sequence);
        const auto used = [&] { return n_free - rig.engine->free_blocks(); };
        CHECK_EQ(used(), static_cast<std::int32_t>((rig.engine->length(*sequence) - 1 + 63) / 64));
        rig.engine->truncate(*sequence, 77);
        say(0, 60, sequence);
        auto fork = rig.engine->fork(*sequence, 120);
        say(5, 40, fork);
        say(6, 40, sequence);
        rig.engine->evict(*sequence);
        say(7, 40, sequence);
        auto call = rig.engine->submit([&] {
            CallRequest r = rig.request(prompt(9, 1), 100, sequence);
            r.n_draft = n_draft;
            return r;
        }());
        rig.engine->wait(*call);
        rig.engine->cancel(*call, FinishReason::stop, 33);
        all.push_back(rig.engine->tokens(*sequence));
        say(0, 20, sequence);
        return all;
    };
    const auto plain = talk(0);
    for (const std::int32_t n_draft : {1, 6, 64, -1}) CHECK(talk(n_draft) == plain);
}

TEST(drafts_of_many_calls_at_once_change_nothing) {
    const auto request = [](Rig& rig, int i, std::int32_t n_draft) {
        CallRequest r = rig.request(prompt(45 + 5 * i, i), 120);
        r.n_draft = n_draft;
        r.sampler.do_sample = i % 2 == 1;
        r.sampler.seed = 7;
        r.choice = static_cast<std::uint32_t>(i);
        return r;
    };
    std::vector<Outcome> alone;
    for (int i = 0; i < 6; ++i) {
        EchoRig rig;
        alone.push_back(outcome_of(rig, rig.engine->submit(request(rig, i, 0))));
    }
    EchoRig rig(128);
    std::vector<std::shared_ptr<Call>> calls;
    constexpr std::int32_t kDrafts[] = {-1, 5, -1, 0, 64, -1};
    for (int i = 0; i < 6; ++i) calls.push_back(rig.engine->submit(request(rig, i, kDrafts[i])));
    for (std::size_t i = 0; i < 6; ++i) CHECK(outcome_of(rig, calls[i]) == alone[i]);
    CHECK(rig.state->max_rows <= 128);
}

TEST(drafts_stay_within_what_is_promised) {
    // Three blocks hold exactly this call; a fourth would be an error.
    EchoRig rig(3);
    CallRequest r = rig.request(prompt(50, 3), 192 - 50);
    r.n_draft = 64;
    CHECK(Rig::ids([&] {
              auto call = rig.engine->submit(std::move(r));
              rig.engine->wait(*call);
              return rig.engine->drain(*call);
          }())
              .size() == 142u);
}

TEST(nothing_is_drafted_beside_external_scores_and_bad_counts_are_refused) {
    EchoRig rig;
    CallRequest r = rig.request(prompt(50, 3), 3);
    r.external_scores = true;
    r.n_draft = 8;
    auto call = rig.engine->submit(std::move(r));
    CHECK(!call->speculation);
    rig.engine->cancel(*call, FinishReason::cancelled, 0);
    rig.engine->wait(*call);
    for (const std::int32_t n_draft : {-2, 65}) {
        CallRequest bad = rig.request(prompt(5, 1), 3);
        bad.n_draft = n_draft;
        CHECK_THROWS(rig.engine->submit(std::move(bad)), invalid_argument);
    }
}
