// Beams in the engine over a fake backend: what they compute, share and give back, and how they end.
#include "engine/beams.h"

#include <algorithm>
#include <cmath>

#include "engine/warpers.h"
#include "engine_rig.h"

using namespace engine_test;

namespace {

// What the fake backend gives after a prompt and sampled tokens.
std::vector<float> logits_after(const std::vector<Token>& prompt, const std::vector<Token>& path) {
    fake::State state;
    state.kv.assign(16 * 64, 0);
    std::vector<std::int32_t> blocks(16);
    for (std::int32_t i = 0; i < 16; ++i) blocks[static_cast<std::size_t>(i)] = i;
    const SequenceView view{blocks.data(), 16, nullptr};
    Row row{};
    for (const auto* ids : {&prompt, &path})
        for (const Token id : *ids) {
            row.token = id;
            row.phase = ids == &prompt ? RowPhase::prompt : RowPhase::step;
            state.kv[static_cast<std::size_t>(row.pos)] = fake::row_value(row) + fake::turn(row.pos);
            ++row.pos;
        }
    --row.pos;
    std::vector<float> logits(fake::kVocab);
    row.logits = logits.data();
    fake::write_outputs(state, Batch{&row, 1, &view, 1}, row);
    return logits;
}

struct Outcome {
    std::vector<std::vector<Token>> paths;
    std::vector<float> scores;
    bool operator==(const Outcome&) const = default;
};

Outcome search_by_hand(const CallRequest& request) {
    const std::vector<Token>& prompt = request.prompt.front().ids;
    BeamSearch search(request.beams, request.sampler, request.max_new_tokens);
    Sampler sampler(request.sampler, fake::kVocab);
    const auto path_of = [&](std::int32_t node) {
        std::vector<Token> path;
        for (const std::int32_t each : search.path(node))
            path.push_back(search.nodes()[static_cast<std::size_t>(each)].token);
        return path;
    };
    for (std::uint64_t position = prompt.size(); !search.is_done(); ++position) {
        std::vector<std::vector<float>> rows;
        for (const BeamSearch::Beam& beam : search.beams()) {
            std::vector<Token> ids = prompt;
            const std::vector<Token> path = path_of(beam.node);
            rows.push_back(logits_after(prompt, path));
            ids.insert(ids.end(), path.begin(), path.end());
            normalize_logits(rows.back());
            sampler.process_logits(rows.back(), ids, prompt.size());
            sampler.warp(rows.back(), search.min_tokens_to_keep());
        }
        search.advance(std::vector<std::span<const float>>(rows.begin(), rows.end()), position, false);
    }
    Outcome outcome;
    for (std::int32_t i = 0; i < request.beams.n_return; ++i) {
        outcome.paths.push_back(path_of(search.finished()[static_cast<std::size_t>(i)].node));
        outcome.scores.push_back(search.finished()[static_cast<std::size_t>(i)].score);
    }
    return outcome;
}

CallRequest beams(Rig& rig, std::vector<Token> ids, std::int64_t n_new, std::int32_t n_beams,
                  std::int32_t n_return = 1, std::shared_ptr<Sequence> sequence = nullptr) {
    CallRequest request = rig.request(std::move(ids), n_new, std::move(sequence));
    request.beams = {n_beams, n_return, 1.0, EarlyStopping::off};
    return request;
}

Outcome finish(Rig& rig, const std::shared_ptr<Call>& call) {
    rig.engine->wait(*call);
    const Drained drained = rig.engine->drain(*call);
    if (drained.error) throw *drained.error;
    CHECK(drained.tokens.empty());
    Outcome outcome;
    for (const BeamOutput& output : drained.outputs) {
        outcome.paths.emplace_back();
        for (const SampledToken& token : output.tokens) outcome.paths.back().push_back(token.id);
        outcome.scores.push_back(output.score);
    }
    CHECK(rig.engine->drain(*call).outputs.empty());
    return outcome;
}

}  // namespace

TEST(engine_beams_are_what_a_search_by_hand_finds) {
    Rig rig;
    int seed = 0;
    for (const int n_prompt : {1, 63, 64, 65, 100})
        for (const std::int32_t n_beams : {2, 5}) {
            CallRequest request =
                beams(rig, prompt(n_prompt, ++seed), n_beams == 2 ? 70 : 9, n_beams, n_beams);
            if (seed % 3 == 0) request.sampler.repetition_penalty = 1.2;
            if (seed % 2 == 0) request.sampler.eos_token_id = {7, 8, 9};
            request.sampler.do_sample = seed % 4 == 0;
            const Outcome expected = search_by_hand(request);
            CHECK(finish(rig, rig.engine->submit(std::move(request))) == expected);
        }
    CHECK_EQ(rig.engine->free_blocks(), 64);
}

TEST(engine_beams_are_the_same_in_company_and_in_small_batches) {
    Rig alone;
    const Outcome expected = finish(alone, alone.engine->submit(beams(alone, prompt(90, 3), 40, 4, 4)));
    for (const std::int32_t rows : {1, 3, 64}) {
        Rig rig(128, 1024, rows);
        std::vector<std::shared_ptr<Call>> calls;
        for (int i = 0; i < 3; ++i) {
            calls.push_back(rig.engine->submit(rig.request(prompt(40, i), 60)));
            calls.push_back(rig.engine->submit(beams(rig, prompt(90, 3), 40, 4, 4)));
        }
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(rig.finish(calls[2 * i]) == Rig().generate(prompt(40, static_cast<int>(i)), 60));
            CHECK(finish(rig, calls[2 * i + 1]) == expected);
        }
        CHECK(rig.state->max_rows <= rows);
    }
}

TEST(engine_beams_step_in_one_batch_and_share_the_prompt) {
    Rig rig;
    rig.generate(prompt(200, 1), 1);
    const int forwards = rig.state->n_forward, rows = rig.state->n_rows;
    finish(rig, rig.engine->submit(beams(rig, prompt(200, 1), 11, 4)));
    CHECK_EQ(rig.state->n_forward - forwards, 2 + 10);  // 128 rows in one batch
    CHECK_EQ(rig.state->n_rows - rows, 200 + 10 * 4);
}

TEST(engine_beams_need_no_more_blocks_than_are_promised) {
    for (const int n_prompt : {64, 100, 128, 190}) {
        for (const std::int32_t n_beams : {2, 3, 8}) {
            const auto n_blocks = static_cast<std::int32_t>(beam_blocks(n_prompt, 130, n_beams));
            Rig exact(n_blocks), less(n_blocks - 1), much(256);
            const Outcome expected =
                finish(much, much.engine->submit(beams(much, prompt(n_prompt, 5), 130, n_beams)));
            CHECK(finish(exact, exact.engine->submit(beams(exact, prompt(n_prompt, 5), 130, n_beams))) ==
                  expected);
            CHECK_THROWS(less.engine->submit(beams(less, prompt(n_prompt, 5), 130, n_beams)), kv_full);
        }
    }
}

TEST(engine_beams_take_the_blocks_of_idle_sessions_and_wait_for_running_ones) {
    Rig rig(12);
    const Outcome expected = search_by_hand(beams(rig, prompt(100, 2), 60, 4));
    auto idle = rig.engine->create_sequence();
    const auto first = rig.generate(prompt(400, 1), 5, idle);
    auto running = rig.engine->submit(rig.request(prompt(100, 3), 200));
    CHECK(finish(rig, rig.engine->submit(beams(rig, prompt(100, 2), 60, 4))) == expected);
    CHECK(rig.finish(running) == Rig().generate(prompt(100, 3), 200));
    Rig roomy;
    auto same = roomy.engine->create_sequence();
    CHECK(roomy.generate(prompt(400, 1), 5, same) == first);
    CHECK(rig.generate(prompt(3, 9), 10, idle) == roomy.generate(prompt(3, 9), 10, same));
}

TEST(engine_beams_are_taken_over_by_the_last_that_continues_them) {
    CallRequest request;
    request.sequence = std::make_shared<Sequence>(std::make_shared<KvPool>(4), fake::kEmbd);
    request.max_new_tokens = 5;
    request.beams = {3, 1, 1.0, EarlyStopping::off};
    Call call(request);
    call.request.sequence->append({{{}, std::vector<float>(10 * fake::kEmbd, 0.5f)}});
    call.prompt_end = 10;
    call.sampler = std::make_unique<Sampler>(request.sampler, fake::kVocab);
    call.beams = std::make_shared<Beams>(request, fake::kVocab);
    const auto step = [&](int salt) {
        for (std::size_t i = 0; i < 3; ++i)
            for (int id = 0; id < fake::kVocab; ++id)
                call.beams->scores_of(i)[id] =
                    static_cast<float>(
                        fake::mix(static_cast<std::uint64_t>(salt), i * 97 + static_cast<std::uint64_t>(id)) %
                        1000) /
                    100.0f;
        advance_beams(call, false);
        step_beams(call);
        std::vector<const float*> rows;
        for (const Sequence& sequence : call.beams->sequences) rows.push_back(sequence.embedding(0));
        return rows;
    };
    std::vector<const float*> before = step(1);
    CHECK(std::find(before.begin(), before.end(), call.request.sequence->embedding(0)) == before.end());
    for (const int salt : {2, 3, 4}) {
        const std::vector<const float*> now = step(salt);
        std::vector<std::int32_t> parents;
        for (const BeamSearch::Beam& beam : call.beams->search.beams())
            parents.push_back(call.beams->search.nodes()[static_cast<std::size_t>(beam.node)].beam);
        for (std::size_t i = 0; i < now.size(); ++i) {
            const bool is_last = std::find(parents.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                           parents.end(), parents[i]) == parents.end();
            CHECK_EQ(now[i] == before[static_cast<std::size_t>(parents[i])], is_last);
            CHECK_EQ(call.beams->sequences[i].length(), 10 + salt);
            CHECK(now[i][0] == 0.5f);
        }
        before = now;
    }
}

TEST(engine_copies_blocks_without_holding_up_its_callers) {
    Rig rig;
    auto idle = rig.engine->create_sequence();
    int n_copies = 0, n_answers = 0;  // of the engine's thread, until the search is done
    std::vector<std::thread> callers;
    rig.state->on_copy = [&] {
        ++n_copies;
        auto has_answer = std::make_shared<std::atomic<bool>>(false);
        callers.emplace_back([&rig, idle, has_answer] { *has_answer = rig.engine->length(*idle) == 0; });
        for (int i = 0; i < 2000 && !*has_answer; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        n_answers += *has_answer ? 1 : 0;
    };
    const Outcome outcome = finish(rig, rig.engine->submit(beams(rig, prompt(20, 1), 2, 4)));
    for (std::thread& caller : callers) caller.join();
    CHECK_EQ(outcome.paths.front().size(), 2u);
    CHECK(n_copies >= 3);
    CHECK_EQ(n_answers, n_copies);
}

TEST(engine_session_goes_on_after_the_best_beam) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const std::vector<Token> first = prompt(70, 4);
    const Outcome outcome = finish(rig, rig.engine->submit(beams(rig, first, 12, 3, 1, sequence)));
    std::vector<Token> expected = first;
    expected.insert(expected.end(), outcome.paths[0].begin(), outcome.paths[0].end());
    CHECK(rig.engine->tokens(*sequence) == expected);
    // Its rows are steps, as they would be had they been sampled one by one.
    std::vector<Token> path = outcome.paths[0];
    const std::vector<Token> next = rig.generate({}, 5, sequence);
    for (const Token id : next) {
        const std::vector<float> logits = logits_after(first, path);
        CHECK_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(), id);
        path.push_back(id);
    }
    rig.engine->truncate(*sequence, 0);
    CHECK_EQ(rig.engine->free_blocks(), 64);
}

TEST(engine_beams_tell_log_probabilities_and_why_they_ended) {
    Rig rig;
    CallRequest request = beams(rig, prompt(20, 6), 6, 3, 3);
    request.n_logprobs = 0;
    request.sampler.eos_token_id = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    auto call = rig.engine->submit(std::move(request));
    rig.engine->wait(*call);
    const Drained drained = rig.engine->drain(*call);
    CHECK_EQ(drained.outputs.size(), 3u);
    for (const BeamOutput& output : drained.outputs) {
        double sum = 0.0;
        for (const SampledToken& token : output.tokens) {
            CHECK(token.logprob < 0.0f && token.top.empty());
            sum += token.logprob;
        }
        CHECK(std::fabs(output.score - sum / static_cast<double>(output.tokens.size())) < 1e-5);
        const bool is_eos = output.tokens.back().id >= 1 && output.tokens.back().id <= 9;
        CHECK(output.finish == (is_eos ? FinishReason::eos : FinishReason::length));
        CHECK(is_eos || output.tokens.size() == 6);
    }
    CHECK(drained.finish == drained.outputs.front().finish);
}

TEST(engine_beams_that_fail_or_are_cancelled_leave_nothing) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto is_clean = [&] {
        return rig.engine->free_blocks() == 64 && rig.engine->length(*sequence) == 0;
    };
    for (const int position : {15, 19, 22}) {
        rig.state->nan_at = position;
        CHECK_THROWS(finish(rig, rig.engine->submit(beams(rig, prompt(20, 1), 8, 4, 1, sequence))),
                     nan_logits);
        CHECK(is_clean() || position == 15);
        rig.engine->truncate(*sequence, 0);
    }
    rig.state->nan_at = -1;
    auto failing = rig.engine->submit(beams(rig, prompt(20, 1), 900, 4, 1, sequence));
    while (rig.state->n_forward < 20) std::this_thread::yield();
    rig.state->fail_next = 1;
    CHECK_THROWS(finish(rig, failing), backend);
    CHECK(is_clean());
    CallRequest excluded = beams(rig, prompt(20, 1), 5, 4, 1, sequence);
    for (Token id = 0; id < fake::kVocab; ++id) excluded.sampler.suppress_tokens.push_back(id);
    CHECK_THROWS(finish(rig, rig.engine->submit(std::move(excluded))), nan_logits);
    CHECK(is_clean());
    rig.state->layer_ms = 2;
    auto cancelled = rig.engine->submit(beams(rig, prompt(20, 1), 900, 4, 1, sequence));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    rig.engine->cancel(*cancelled, FinishReason::cancelled, 0);
    CHECK(finish(rig, cancelled).paths.empty());
    CHECK(is_clean());
    rig.state->layer_ms = 0;
    CHECK(finish(rig, rig.engine->submit(beams(rig, prompt(20, 1), 8, 4))) ==
          search_by_hand(beams(rig, prompt(20, 1), 8, 4)));
}

TEST(engine_beams_whose_time_is_up_give_what_they_have) {
    Rig rig;
    rig.state->layer_ms = 3;
    CallRequest request = beams(rig, prompt(10, 1), 900, 3, 2);
    request.max_time_ms = 150;
    auto call = rig.engine->submit(std::move(request));
    rig.engine->wait(*call);
    const Drained drained = rig.engine->drain(*call);
    CHECK(drained.finish == FinishReason::time);
    CHECK_EQ(drained.outputs.size(), 2u);
    const auto n = static_cast<std::int64_t>(drained.outputs[0].tokens.size());
    CHECK(n >= 1 && n < 20);
    std::vector<Token> best;
    for (const SampledToken& token : drained.outputs[0].tokens) best.push_back(token.id);
    CHECK(search_by_hand(beams(rig, prompt(10, 1), n, 3, 2)).paths[0] == best);
}

TEST(engine_destruction_ends_beams) {
    std::shared_ptr<Call> call;
    {
        Rig rig;
        rig.state->layer_ms = 5;
        call = rig.engine->submit(beams(rig, prompt(30, 1), 500, 4));
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
    }
    CHECK(call->error && call->error->code() == ErrorCode::disposed);
}

TEST(engine_refuses_beams_that_cannot_be) {
    Rig rig;
    CHECK_THROWS(rig.engine->submit(beams(rig, {1}, 5, 0)), invalid_argument);
    CHECK_THROWS(rig.engine->submit(beams(rig, {1}, 5, kMostBeams + 1)), invalid_argument);
    CHECK_THROWS(rig.engine->submit(beams(rig, {1}, 5, 2, 3)), invalid_argument);
    CHECK_THROWS(rig.engine->submit(beams(rig, {1}, 5, 1, 2)), invalid_argument);
    CallRequest parked = beams(rig, {1}, 5, 2);
    parked.external_scores = true;
    CHECK_THROWS(rig.engine->submit(std::move(parked)), invalid_argument);
}
