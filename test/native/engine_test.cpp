// The engine over a fake backend: batching, admission, sessions, forks, eviction, pausing, cancelling, awaiting scores.
#include "engine_rig.h"

using namespace engine_test;

TEST(engine_generates_the_same_ids_alone_and_in_company) {
    std::vector<std::vector<Token>> alone;
    for (int i = 0; i < 6; ++i) alone.push_back(Rig().generate(prompt(50 + 40 * i, i), 70));
    Rig rig(128);
    std::vector<std::shared_ptr<Call>> calls;
    for (int i = 0; i < 6; ++i) calls.push_back(rig.engine->submit(rig.request(prompt(50 + 40 * i, i), 70)));
    for (std::size_t i = 0; i < 6; ++i) CHECK(rig.finish(calls[i]) == alone[i]);
    CHECK(rig.state->n_forward < 6 * 70);  // they shared batches
}

TEST(engine_result_does_not_depend_on_how_a_prompt_is_cut) {
    const std::vector<Token> whole = Rig(64, 1024, 512).generate(prompt(300, 3), 20);
    for (const int rows : {1, 7, 64}) {
        Rig rig(64, 1024, rows);
        CHECK(rig.generate(prompt(300, 3), 20) == whole);
        CHECK(rig.state->max_rows <= rows);
    }
}

TEST(engine_session_continues_where_it_stopped) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto first = rig.generate(prompt(30, 1), 10, sequence);
    CHECK_EQ(rig.engine->tokens(*sequence).size(), 40u);
    const int rows_before = rig.state->n_rows;
    const auto second = rig.generate(prompt(5, 2), 10, sequence);
    // The last sampled token and the 5 new ones are fed, then 9 steps: nothing is computed twice.
    CHECK_EQ(rig.state->n_rows - rows_before, 6 + 9);
    CHECK_EQ(second.size(), 10u);
}

TEST(engine_fork_shares_blocks_and_copies_on_write) {
    Rig rig;
    auto base = rig.engine->create_sequence();
    rig.generate(prompt(100, 1), 1, base);
    const std::int32_t free_before = rig.engine->free_blocks();
    auto fork = rig.engine->fork(*base, 101);
    CHECK_EQ(rig.engine->free_blocks(), free_before);
    const auto a = rig.generate(prompt(3, 5), 40, fork);
    const auto b = rig.generate(prompt(3, 5), 40, base);
    CHECK(a == b);
    const auto c = rig.generate(prompt(3, 9), 40, rig.engine->fork(*base, 101));
    CHECK(a != c);
}

TEST(engine_truncate_goes_back) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto a = rig.generate(prompt(80, 1), 20, sequence);
    rig.engine->truncate(*sequence, 80);
    // Nothing new to feed: the last prompt row is computed again for its logits.
    CHECK(rig.generate({}, 20, sequence) == a);
    CHECK_THROWS(rig.engine->truncate(*sequence, 101), invalid_argument);
    CHECK_THROWS(rig.engine->truncate(*sequence, -1), invalid_argument);
}

TEST(engine_evicted_session_recomputes_the_same) {
    Rig rig(64);
    auto kept = rig.engine->create_sequence(), evicted = rig.engine->create_sequence();
    rig.generate(prompt(70, 1), 30, kept);
    rig.generate(prompt(70, 1), 30, evicted);
    rig.engine->evict(*evicted);
    CHECK(rig.generate(prompt(4, 2), 30, kept) == rig.generate(prompt(4, 2), 30, evicted));
}

TEST(engine_makes_room_by_evicting_the_least_recently_used_idle_session) {
    Rig rig(8);  // 512 positions
    auto old = rig.engine->create_sequence(), recent = rig.engine->create_sequence();
    const auto a = rig.generate(prompt(180, 1), 5, old);     // 3 blocks
    const auto b = rig.generate(prompt(180, 2), 5, recent);  // 3 blocks
    rig.generate(prompt(200, 3), 20);                        // 4 blocks: one session must go
    const int before = rig.state->n_rows;
    rig.generate(prompt(1, 4), 1, recent);
    CHECK_EQ(rig.state->n_rows - before, 2);  // recent kept its blocks
    const int before_old = rig.state->n_rows;
    rig.generate(prompt(1, 4), 1, old);
    CHECK_EQ(rig.state->n_rows - before_old, 186);  // old recomputes
}

TEST(engine_waits_for_room_and_refuses_what_never_fits) {
    Rig rig(4, 1024);
    CHECK_THROWS(rig.engine->submit(rig.request(prompt(200, 1), 57)), kv_full);
    CHECK_THROWS(rig.engine->submit(rig.request(prompt(1000, 1), 25)), context_full);
    rig.state->layer_ms = 1;
    auto first = rig.engine->submit(rig.request(prompt(100, 1), 28));    // 2 blocks
    auto second = rig.engine->submit(rig.request(prompt(100, 2), 100));  // 4 blocks: waits
    auto third = rig.engine->submit(rig.request(prompt(10, 3), 10));     // fits, but stays behind the second
    rig.engine->wait(*first);
    CHECK(rig.engine->drain(*third).state == CallState::waiting);
    rig.engine->wait(*second);
    rig.engine->wait(*third);
    rig.state->layer_ms = 0;
    CHECK(Rig::ids(rig.engine->drain(*second)) == Rig().generate(prompt(100, 2), 100));
}

TEST(engine_stalled_consumer_stops_only_its_own_sequence) {
    Rig rig;
    CallRequest stalled = rig.request(prompt(20, 1), 200);
    stalled.ring_capacity = 5;
    auto slow = rig.engine->submit(std::move(stalled));
    auto fast = rig.engine->submit(rig.request(prompt(20, 2), 200));
    CHECK_EQ(rig.finish(fast).size(), 200u);
    std::vector<Token> got = Rig::ids(rig.engine->drain(*slow));
    CHECK_EQ(got.size(), 5u);
    while (got.size() < 200) {
        const auto more = Rig::ids(rig.engine->drain(*slow));
        CHECK(more.size() <= 5);
        got.insert(got.end(), more.begin(), more.end());
    }
    CHECK(got == Rig().generate(prompt(20, 1), 200));
}

TEST(engine_cancel_in_prefill_returns_within_a_layer_and_takes_the_prompt_back) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    rig.generate(prompt(10, 1), 3, sequence);
    rig.state->layer_ms = 50;  // a pass takes 200 ms
    auto call = rig.engine->submit(rig.request(prompt(400, 2), 10, sequence));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    const auto begin = std::chrono::steady_clock::now();
    rig.engine->cancel(*call, FinishReason::cancelled, 0);
    rig.engine->wait(*call);
    const double ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    CHECK(ms < 100.0);
    rig.state->layer_ms = 0;
    CHECK_EQ(rig.engine->tokens(*sequence).size(), 13u);
    CHECK_EQ(rig.generate(prompt(5, 2), 4, sequence).size(), 4u);
}

TEST(engine_cancel_does_not_disturb_the_neighbours) {
    Rig rig;
    rig.state->layer_ms = 2;
    auto a = rig.engine->submit(rig.request(prompt(60, 1), 40));
    auto b = rig.engine->submit(rig.request(prompt(60, 2), 40));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    rig.engine->cancel(*b, FinishReason::cancelled, 0);
    rig.engine->wait(*b);
    rig.state->layer_ms = 0;
    CHECK(rig.finish(a) == Rig().generate(prompt(60, 1), 40));
    CHECK(rig.engine->drain(*b).finish == FinishReason::cancelled);
}

TEST(engine_break_leaves_the_session_at_the_last_token_delivered) {
    for (const bool done_first : {false, true}) {
        Rig rig;
        auto sequence = rig.engine->create_sequence();
        auto call = rig.engine->submit(rig.request(prompt(20, 1), 50, sequence));
        if (done_first) rig.engine->wait(*call);
        rig.engine->cancel(*call, FinishReason::cancelled, done_first ? 7 : 0);
        rig.engine->wait(*call);
        const auto expected = Rig().generate(prompt(20, 1), 50);
        const auto tokens = rig.engine->tokens(*sequence);
        if (done_first) {
            CHECK_EQ(tokens.size(), 27u);
            CHECK(std::equal(tokens.begin() + 20, tokens.end(), expected.begin()));
            // Going on gives what one uninterrupted call gives.
            const auto rest = rig.generate({}, 43, sequence);
            CHECK(std::equal(rest.begin(), rest.end(), expected.begin() + 7));
        } else {
            CHECK(tokens.empty());  // nothing was delivered, so the prompt is taken back as well
        }
    }
}

TEST(engine_awaiting_scores_parks_one_sequence_while_others_go_on) {
    Rig rig;
    CallRequest request = rig.request(prompt(20, 1), 3);
    request.external_scores = true;
    auto parked = rig.engine->submit(std::move(request));
    CHECK_EQ(rig.generate(prompt(20, 2), 100).size(), 100u);
    std::vector<Token> got;
    while (got.size() < 3) {
        const Drained drained = rig.engine->drain(*parked);
        for (const auto& t : drained.tokens) got.push_back(t.id);
        if (drained.state != CallState::awaiting_scores) continue;
        std::vector<float> scores = rig.engine->scores(*parked);
        CHECK_EQ(scores.size(), static_cast<std::size_t>(fake::kVocab));
        scores.assign(scores.size(), 0.0f);
        scores[40 + got.size()] = 1.0f;
        rig.engine->submit_scores(*parked, scores);
    }
    CHECK(got == (std::vector<Token>{40, 41, 42}));
    rig.engine->submit_scores(*parked, std::vector<float>(fake::kVocab));  // too late: let go
    CallRequest unread = rig.request(prompt(20, 1), 200);
    unread.ring_capacity = 5;  // pauses, and so is never done
    auto plain = rig.engine->submit(std::move(unread));
    CHECK_THROWS(rig.engine->submit_scores(*plain, std::vector<float>(fake::kVocab)), invalid_argument);
}

TEST(engine_embeddings_are_rows_like_tokens) {
    Rig rig;
    const auto run = [&](float value) {
        CallRequest r = rig.request({1, 2}, 8);
        r.prompt.push_back({{}, std::vector<float>(3 * fake::kEmbd, value)});
        r.prompt.push_back({{4}, {}});
        return rig.finish(rig.engine->submit(std::move(r)));
    };
    CHECK(run(0.5f) == run(0.5f));
    CHECK(run(0.5f) != run(0.25f));
}

TEST(engine_queries_give_values_at_positions) {
    Rig rig(64, 1024, 16);
    CallRequest r = rig.request(prompt(40, 1), 0);
    r.logits_at = {0, 17, 39};
    r.hidden_at = {5};
    r.score_from = 30;
    auto call = rig.engine->submit(std::move(r));
    rig.engine->wait(*call);
    CHECK_EQ(call->logits.size(), static_cast<std::size_t>(3 * fake::kVocab));
    CHECK_EQ(call->target_logprobs.size(), 10u);
    for (const float value : call->target_logprobs) CHECK(value == value);
    CallRequest bad = rig.request(prompt(4, 1), 0);
    bad.logits_at = {4};
    CHECK_THROWS(rig.engine->submit(std::move(bad)), invalid_argument);
}

TEST(engine_eviction_spares_a_fresh_fork) {
    Rig rig(8);
    auto old = rig.engine->create_sequence(), base = rig.engine->create_sequence();
    rig.generate(prompt(180, 1), 5, old);   // 3 blocks
    rig.generate(prompt(180, 2), 5, base);  // 3 blocks
    auto fork = rig.engine->fork(*base, 185);
    rig.generate(prompt(200, 3), 20);  // 4 blocks: the oldest session must go, and it alone
    for (const auto& sequence : {base, fork}) {
        const int before = rig.state->n_rows;
        rig.generate(prompt(1, 4), 1, sequence);
        CHECK_EQ(rig.state->n_rows - before, 2);
    }
}
