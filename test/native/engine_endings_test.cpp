// How calls of the engine end otherwise: bad requests, failures, NaN, time limits, disposal; and that callers are woken.
#include <ctime>

#include "engine_rig.h"

using namespace engine_test;

TEST(engine_reports_backend_failure_and_nan_and_stays_usable) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    rig.state->fail_next = 1;
    auto failed = rig.engine->submit(rig.request(prompt(20, 1), 5, sequence));
    CHECK_THROWS(rig.finish(failed), backend);
    CHECK_EQ(rig.engine->tokens(*sequence).size(), 0u);
    rig.state->nan_at = 22;
    auto nan = rig.engine->submit(rig.request(prompt(20, 1), 5, sequence));
    CHECK_THROWS(rig.finish(nan), nan_logits);
    rig.state->nan_at = -1;
    CHECK(rig.generate(prompt(20, 1), 5, sequence) == Rig().generate(prompt(20, 1), 5));
}

TEST(engine_refuses_bad_requests) {
    Rig rig;
    CHECK_THROWS(rig.engine->submit(rig.request({}, 5)), invalid_argument);
    CHECK_THROWS(rig.engine->submit(rig.request({fake::kVocab}, 5)), invalid_argument);
    CHECK_THROWS(rig.engine->submit(rig.request({-1}, 5)), invalid_argument);
    CallRequest ragged = rig.request({1}, 5);
    ragged.prompt.push_back({{}, std::vector<float>(fake::kEmbd + 1)});
    CHECK_THROWS(rig.engine->submit(std::move(ragged)), invalid_argument);
    auto sequence = rig.engine->create_sequence();
    rig.state->layer_ms = 5;
    auto call = rig.engine->submit(rig.request({1, 2}, 50, sequence));
    CHECK_THROWS(rig.engine->submit(rig.request({1}, 1, sequence)), busy);
    CHECK_THROWS(rig.engine->truncate(*sequence, 0), busy);
    CHECK_THROWS(rig.engine->fork(*sequence, 0), busy);
    rig.state->layer_ms = 0;
    rig.engine->wait(*call);
}

TEST(engine_reports_a_nan_at_any_row_of_a_query) {
    Rig rig(64, 1024, 16);
    rig.state->nan_at = 5;
    CallRequest r = rig.request(prompt(40, 1), 0);
    r.logits_at = {5, 39};
    CHECK_THROWS(rig.finish(rig.engine->submit(std::move(r))), nan_logits);
}

TEST(engine_refuses_to_score_embedding_rows) {
    Rig rig;
    CallRequest r = rig.request({1, 2}, 0);
    r.prompt.push_back({{}, std::vector<float>(fake::kEmbd, 0.5f)});
    r.score_from = 1;
    CHECK_THROWS(rig.engine->submit(std::move(r)), invalid_argument);
}

TEST(engine_waits_quietly_whatever_the_time_limit) {
    Rig rig;
    CallRequest r = rig.request(prompt(10, 1), 50);
    r.ring_capacity = 4;
    r.max_time_ms = 1e300;
    auto call = rig.engine->submit(std::move(r));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const std::clock_t begin = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 0.1);
    rig.engine->cancel(*call, FinishReason::cancelled, 4);
    rig.engine->wait(*call);
}

TEST(engine_destruction_ends_every_call) {
    std::shared_ptr<Call> running, waiting;
    {
        Rig rig(4);
        rig.state->layer_ms = 20;
        running = rig.engine->submit(rig.request(prompt(100, 1), 100));
        waiting = rig.engine->submit(rig.request(prompt(100, 2), 100));
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    CHECK(running->error && running->error->code() == ErrorCode::disposed);
    CHECK(waiting->error && waiting->error->code() == ErrorCode::disposed);
}

TEST(engine_time_limit_ends_a_call_that_awaits_scores) {
    Rig rig;
    CallRequest r = rig.request(prompt(10, 1), 5);
    r.external_scores = true;
    r.max_time_ms = 50;
    auto call = rig.engine->submit(std::move(r));
    rig.engine->wait(*call);
    CHECK_EQ(rig.engine->scores(*call).size(), static_cast<std::size_t>(fake::kVocab));
    rig.engine->submit_scores(*call, std::vector<float>(fake::kVocab));
    const Drained drained = rig.engine->drain(*call);
    CHECK(drained.finish == FinishReason::time && drained.tokens.empty() && !drained.error);
}

TEST(engine_wakes_many_callers_while_others_submit) {
    struct Counter : Waker {
        std::atomic<int> n{0};
        void wake() noexcept override {
            ++n;
            std::this_thread::sleep_for(
                std::chrono::microseconds(200));  // widens the window in which submit() runs
        }
    };
    Rig rig(256, 1024);
    std::vector<std::shared_ptr<Counter>> counters;
    std::vector<std::shared_ptr<Call>> calls;
    for (int i = 0; i < 40; ++i) {
        CallRequest r = rig.request(prompt(10, i), 30);
        counters.push_back(std::make_shared<Counter>());
        r.waker = counters.back();
        calls.push_back(rig.engine->submit(std::move(r)));
        std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    for (const auto& call : calls) CHECK_EQ(rig.finish(call).size(), 30u);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (const auto& counter : counters) CHECK(counter->n > 0);
}

TEST(engine_failed_sampling_ends_its_call_alone) {
    Rig rig;
    CallRequest r = rig.request(prompt(10, 1), 5);
    for (Token id = 0; id < fake::kVocab; ++id) r.sampler.suppress_tokens.push_back(id);
    r.sampler.do_sample = true;
    auto bad = rig.engine->submit(std::move(r));
    auto good = rig.engine->submit(rig.request(prompt(10, 2), 50));
    while (rig.engine->drain(*bad).state != CallState::done) {
    }
    CHECK_THROWS(rig.finish(bad), nan_logits);
    CHECK_EQ(rig.finish(good).size(), 50u);
}

TEST(engine_max_time_ends_a_call) {
    Rig rig;
    rig.state->layer_ms = 5;
    CallRequest r = rig.request(prompt(10, 1), 900);
    r.max_time_ms = 150;
    auto call = rig.engine->submit(std::move(r));
    rig.engine->wait(*call);
    const Drained drained = rig.engine->drain(*call);
    CHECK(drained.finish == FinishReason::time);
    CHECK(drained.tokens.size() >= 1 && drained.tokens.size() < 20);
}
