// Prompts that take the place of what a session holds, and calls that outgrow the context: rows are dropped exactly where
// they should be, and nothing is computed that need not be.
#include <algorithm>
#include <random>

#include "engine/session_file.h"
#include "engine_rig.h"

using namespace engine_test;

namespace {

std::vector<Token> join(std::vector<Token> a, const std::vector<Token>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

std::vector<Token> last(const std::vector<Token>& ids, std::size_t n) {
    return {ids.end() - static_cast<std::ptrdiff_t>(n), ids.end()};
}
std::vector<Token> first(const std::vector<Token>& ids, std::size_t n) {
    return {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n)};
}

CallRequest whole(Rig& rig, std::vector<Token> ids, std::int64_t n_new, std::shared_ptr<Sequence> sequence) {
    CallRequest r = rig.request(std::move(ids), n_new, std::move(sequence));
    r.replace = true;
    return r;
}

CallRequest overflowing(Rig& rig, std::vector<Token> ids, std::int64_t n_new, Overflow overflow,
                        std::int64_t keep, std::shared_ptr<Sequence> sequence = nullptr) {
    CallRequest r = rig.request(std::move(ids), n_new, std::move(sequence));
    r.overflow = overflow;
    r.overflow_keep = keep;
    r.n_draft = 0;
    return r;
}

}  // namespace

TEST(replace_keeps_the_longest_common_prefix) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    rig.generate(prompt(100, 1), 10, sequence);
    const std::vector<Token> edited = join(first(prompt(100, 1), 80), prompt(40, 2));
    const int rows_before = rig.state->n_rows;
    auto call = rig.engine->submit(whole(rig, edited, 12, sequence));
    CHECK(rig.finish(call) == Rig().generate(edited, 12));
    CHECK_EQ(rig.state->n_rows - rows_before, 40 + 11);
    CHECK_EQ(rig.engine->drain(*call).n_reused, 80);
    CHECK_EQ(rig.engine->length(*sequence), 132);
}

TEST(replace_by_the_same_text_computes_the_last_row_alone) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto expected = rig.generate(prompt(100, 1), 10, sequence);
    const int rows_before = rig.state->n_rows;
    auto call = rig.engine->submit(whole(rig, prompt(100, 1), 10, sequence));
    CHECK(rig.finish(call) == expected);
    CHECK_EQ(rig.state->n_rows - rows_before, 1 + 9);
    CHECK_EQ(rig.engine->drain(*call).n_reused, 99);
    // Sampled tokens are common too, and so is less than the session holds.
    call = rig.engine->submit(whole(rig, join(prompt(100, 1), first(expected, 4)), 6, sequence));
    CHECK(rig.finish(call) == last(expected, 6));
    call = rig.engine->submit(whole(rig, prompt(50, 1), 6, sequence));
    CHECK(rig.finish(call) == Rig().generate(prompt(50, 1), 6));
    CHECK_EQ(rig.engine->drain(*call).n_reused, 49);
}

TEST(replace_compares_embeddings_by_value) {
    const auto run = [](Rig& rig, float second, std::shared_ptr<Sequence> sequence) {
        CallRequest r = whole(rig, {1, 2}, 8, std::move(sequence));
        std::vector<float> rows(3 * fake::kEmbd, 0.5f);
        rows[fake::kEmbd] = second;
        r.prompt.push_back({{}, rows});
        r.prompt.push_back({{4}, {}});
        auto call = rig.engine->submit(std::move(r));
        const auto ids = rig.finish(call);
        return std::pair(ids, rig.engine->drain(*call).n_reused);
    };
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto one = run(rig, 0.5f, sequence);
    CHECK_EQ(one.second, 0);
    CHECK(run(rig, 0.5f, sequence) == std::pair(one.first, std::int64_t{5}));
    const auto other = run(rig, 0.25f, sequence);
    CHECK_EQ(other.second, 3);
    CHECK(other.first == run(rig, 0.25f, rig.engine->create_sequence()).first);
}

TEST(replace_of_an_evicted_session_reuses_nothing_and_says_the_same) {
    Rig rig;
    auto sequence = rig.engine->create_sequence();
    const auto expected = rig.generate(prompt(100, 1), 10, sequence);
    rig.engine->evict(*sequence);
    auto call = rig.engine->submit(whole(rig, prompt(100, 1), 10, sequence));
    CHECK(rig.finish(call) == expected);
    CHECK_EQ(rig.engine->drain(*call).n_reused, 0);
}

TEST(replace_that_fails_leaves_what_is_common) {
    Rig rig(64, 256);
    auto sequence = rig.engine->create_sequence();
    rig.generate(prompt(100, 1), 10, sequence);
    // Refused at once: nothing has happened.
    CHECK_THROWS(rig.engine->submit(whole(rig, prompt(250, 1), 10, sequence)), context_full);
    CHECK_EQ(rig.engine->length(*sequence), 110);
    rig.state->nan_at = 90;
    auto call = rig.engine->submit(whole(rig, join(first(prompt(100, 1), 80), prompt(40, 2)), 1, sequence));
    rig.engine->wait(*call);
    CHECK(call->error && call->error->code() == ErrorCode::nan_logits);
    CHECK(rig.engine->tokens(*sequence) == first(prompt(100, 1), 80));
}

TEST(truncate_left_is_the_shorter_prompt) {
    const auto ids = prompt(200, 1);
    for (const std::int64_t keep : {0, 10}) {
        const std::size_t kept = static_cast<std::size_t>(keep);
        const auto shorter = join(first(ids, kept), last(ids, 100 - kept));
        Rig rig(64, 128);
        auto sequence = rig.engine->create_sequence();
        auto call = rig.engine->submit(overflowing(rig, ids, 28, Overflow::truncate_left, keep, sequence));
        const auto got = rig.finish(call);
        CHECK(got == Rig().generate(shorter, 28));
        CHECK(rig.engine->tokens(*sequence) == join(shorter, got));
        CHECK_EQ(rig.engine->n_dropped(*sequence), 100);
    }
}

TEST(truncate_left_drops_from_what_a_session_holds) {
    Rig rig(64, 128);
    auto sequence = rig.engine->create_sequence();
    const auto begun = join(prompt(80, 1), rig.generate(prompt(80, 1), 20, sequence));
    auto call = rig.engine->submit(overflowing(rig, prompt(30, 2), 20, Overflow::truncate_left, 5, sequence));
    const auto got = rig.finish(call);
    // 100 + 30 + 20 = 128 + 22
    const auto left = join(join(first(begun, 5), last(begun, 73)), prompt(30, 2));
    CHECK(got == Rig().generate(left, 20));
    CHECK(rig.engine->tokens(*sequence) == join(left, got));
    CHECK_EQ(rig.engine->n_dropped(*sequence), 22);
    // What follows a whole new prompt has nothing of what was dropped.
    call = rig.engine->submit(whole(rig, left, 20, sequence));
    CHECK(rig.finish(call) == got);
    CHECK_EQ(rig.engine->n_dropped(*sequence), 0);
}

TEST(truncate_left_needs_no_drop_where_all_fits) {
    Rig rig(64, 128);
    auto call = rig.engine->submit(overflowing(rig, prompt(100, 1), 28, Overflow::truncate_left, 0));
    CHECK(rig.finish(call) == Rig().generate(prompt(100, 1), 28));
    CHECK_THROWS(rig.engine->submit(overflowing(rig, prompt(100, 1), 128, Overflow::truncate_left, 0)),
                 context_full);
    CHECK_THROWS(rig.engine->submit(overflowing(rig, prompt(100, 1), 29, Overflow::truncate_left, 99)),
                 context_full);
    CHECK_THROWS(rig.engine->submit(overflowing(rig, prompt(100, 1), 29, Overflow::truncate_left, INT64_MAX)),
                 context_full);
}

TEST(shift_goes_on_without_end_and_computes_no_row_twice) {
    for (const std::int64_t keep : {0, 10, 100}) {
        for (const bool do_sample : {false, true}) {
            std::vector<Token> expected;
            // Turned keys and rows computed again are the same to the fake network, whose entries know their own row alone.
            for (const bool is_fixed : {false, true}) {
                Rig rig(8, 256, 64);
                rig.state->is_fixed = is_fixed;
                auto sequence = rig.engine->create_sequence();
                CallRequest r = overflowing(rig, prompt(90, 1), 1000, Overflow::shift, keep, sequence);
                r.sampler.do_sample = do_sample;
                r.sampler.seed = 5;
                auto call = rig.engine->submit(std::move(r));
                const auto got = rig.finish(call);
                CHECK_EQ(got.size(), 1000u);
                if (!is_fixed) {
                    expected = got;
                    CHECK_EQ(rig.state->n_rows.load(), 90 + 999);
                }
                CHECK(got == expected);
                const auto tokens = rig.engine->tokens(*sequence);
                const std::size_t kept = static_cast<std::size_t>(keep + 63) / 64 * 64;
                const auto all = join(prompt(90, 1), got);
                CHECK(tokens.size() <= 257);
                CHECK(tokens == join(first(all, kept), last(all, tokens.size() - kept)));
                CHECK_EQ(static_cast<std::size_t>(rig.engine->n_dropped(*sequence)) + tokens.size(),
                         all.size());
                CHECK_EQ(rig.engine->drain(*call).finish == FinishReason::length, true);
            }
        }
    }
}

TEST(shift_gives_what_the_rows_that_stay_give) {
    Rig rig(8, 256);
    auto sequence = rig.engine->create_sequence();
    auto call = rig.engine->submit(overflowing(rig, prompt(250, 1), 60, Overflow::shift, 0, sequence));
    const auto got = rig.finish(call);
    CHECK_EQ(rig.engine->n_dropped(*sequence), 128);
    // The shift came when row 256 was due: rows 128 to 256, and what follows them alone.
    SequenceRows rows = sequence->rows();
    rows.tokens.resize(129);
    rows.phases.resize(129);
    rows.n_dropped = 0;
    Rig other;
    const auto rest = other.generate({}, 53, other.engine->create_sequence(rows));
    CHECK(last(got, 53) == rest);
}

TEST(shift_drops_at_once_what_a_long_prompt_has_too_much) {
    Rig rig(8, 256);
    auto sequence = rig.engine->create_sequence();
    auto call = rig.engine->submit(overflowing(rig, prompt(600, 1), 40, Overflow::shift, 0, sequence));
    CHECK(rig.finish(call) == Rig().generate(last(prompt(600, 1), 216), 40));
    CHECK_EQ(rig.state->n_rows.load(), 216 + 39);
    // A prompt behind a full session moves the session.
    Rig full(8, 256);
    sequence = full.engine->create_sequence();
    full.generate(prompt(240, 2), 10, sequence);
    const int rows_before = full.state->n_rows;
    call = full.engine->submit(overflowing(full, prompt(30, 3), 5, Overflow::shift, 64, sequence));
    CHECK_EQ(full.finish(call).size(), 5u);
    CHECK_EQ(full.state->n_rows - rows_before, 31 + 4);
    CHECK_EQ(full.engine->n_dropped(*sequence), 64);
    CHECK_EQ(full.engine->length(*sequence), 250 + 30 + 5 - 64);
}

TEST(shift_leaves_forks_and_neighbours_alone) {
    Rig rig(12, 256);
    auto base = rig.engine->create_sequence();
    rig.generate(prompt(200, 1), 20, base);
    auto fork = rig.engine->fork(*base, 220);
    const auto alone = [&](std::int64_t n_new) {
        Rig other(12, 256);
        auto sequence = other.engine->create_sequence();
        other.generate(prompt(200, 1), 20, sequence);
        return other.finish(
            other.engine->submit(overflowing(other, {3}, n_new, Overflow::shift, 0, sequence)));
    };
    std::vector<std::shared_ptr<Call>> calls{
        rig.engine->submit(overflowing(rig, {3}, 400, Overflow::shift, 0, base)),
        rig.engine->submit(overflowing(rig, prompt(50, 7), 500, Overflow::shift, 0)),
    };
    CHECK(rig.finish(calls[0]) == alone(400));
    Rig other(12, 256);
    CHECK(rig.finish(calls[1]) ==
          other.finish(other.engine->submit(overflowing(other, prompt(50, 7), 500, Overflow::shift, 0))));
    CHECK(rig.generate({3}, 30, fork) == alone(30));
}

TEST(shift_ends_the_session_at_the_last_token_delivered) {
    const auto cut = [](std::int64_t keep_tokens, std::int64_t keep) {
        Rig rig(8, 256);
        auto sequence = rig.engine->create_sequence();
        auto call = rig.engine->submit(overflowing(rig, prompt(20, 1), 500, Overflow::shift, keep, sequence));
        rig.engine->wait(*call);
        rig.engine->cancel(*call, FinishReason::stop, keep_tokens);
        return std::pair(rig.engine->length(*sequence), rig.engine->n_dropped(*sequence));
    };
    for (const std::int64_t keep : {0, 64}) {
        const auto [length, n_dropped] = cut(495, keep);
        CHECK_EQ(length + n_dropped, 20 + 495);
    }
    // Among what was dropped: nothing behind it is left; among what is never dropped: there.
    CHECK_EQ(cut(100, 0).first, 0);
    CHECK_EQ(cut(100, 64).first, 64);
    CHECK_EQ(cut(10, 64).first, 30);
}

TEST(shift_works_within_the_pool_and_refuses_what_leaves_no_room) {
    Rig rig(2, 1024);
    CHECK_EQ(rig.finish(rig.engine->submit(overflowing(rig, prompt(20, 1), 500, Overflow::shift, 0))).size(),
             500u);
    CHECK_THROWS(rig.engine->submit(overflowing(rig, prompt(20, 1), 500, Overflow::shift, 65)), context_full);
    Rig tiny(8, 64);
    CHECK_THROWS(tiny.engine->submit(overflowing(tiny, prompt(20, 1), 50, Overflow::shift, 1)), context_full);
    for (const int n : {20, 500})
        CHECK_EQ(
            tiny.finish(tiny.engine->submit(overflowing(tiny, prompt(n, 1), 500, Overflow::shift, 0))).size(),
            500u);
}

TEST(shift_comes_at_the_same_token_with_drafts) {
    const auto run = [](std::int32_t n_draft, int& n_forward) {
        Rig rig(8, 256);
        rig.state->echo = 20;  // drafts come true
        CallRequest r = overflowing(rig, prompt(90, 1), 600, Overflow::shift, 0);
        r.n_draft = n_draft;
        const auto ids = rig.finish(rig.engine->submit(std::move(r)));
        n_forward = rig.state->n_forward;
        return ids;
    };
    int n_alone = 0, n_drafted = 0;
    CHECK(run(0, n_alone) == run(8, n_drafted));
    CHECK(n_drafted < n_alone);
}

// Any walk of calls, cuts, forks and evictions leaves rows that a file can hold, and a cache that is what they give.
TEST(rows_that_stay_keep_the_length_that_their_rotation_followed) {
    const auto make = [](std::int64_t first_prompt, std::int64_t cut) {
        Sequence sequence(std::make_shared<KvPool>(8), fake::kEmbd);
        sequence.append(std::vector<PromptPart>{{prompt(static_cast<int>(first_prompt), 1), {}}});
        sequence.truncate(cut);
        sequence.append(std::vector<PromptPart>{{prompt(100, 2), {}}});
        return sequence;
    };
    Sequence shifted = make(300, 50);  // 50 rows of the first prompt, 100 of the second, all computed
    shifted.drop(70, 40, 150);
    CHECK_EQ(shifted.length(), 110);
    CHECK_EQ(shifted.rope_length(49), 300);
    CHECK_EQ(shifted.rope_length(50), 150);
    CHECK_EQ(shifted.rope_length(69), 150);
    CHECK_EQ(shifted.rope_length(70), 110);
    CHECK_EQ(shifted.rope_length(109), 110);
    Sequence within = make(300, 50);  // the cut and all that goes lie in the first prompt
    within.drop(10, 20, 150);
    CHECK_EQ(within.rope_length(9), 300);
    CHECK_EQ(within.rope_length(30), 130);
    Sequence fresh = make(50, 50);  // the second prompt is new: it counts without what goes
    fresh.drop_and_restart(70, 40, 50);
    CHECK_EQ(fresh.rope_length(49), 50);
    CHECK_EQ(fresh.rope_length(50), 110);
    CHECK_EQ(fresh.rope_length(109), 110);
}

TEST(session_of_any_history_is_consistent) {
    for (std::uint32_t seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::int64_t n) {
            return static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(n));
        };
        Rig rig(12, 256, 64);
        rig.state->is_fixed = seed % 3 == 0;
        rig.state->echo = seed % 2 == 0 ? 0 : 9;
        auto sequence = rig.engine->create_sequence();
        for (int step = 0; step < 8; ++step) {
            switch (below(6)) {
                case 0: rig.engine->truncate(*sequence, below(rig.engine->length(*sequence) + 1)); break;
                case 1:
                    sequence = rig.engine->fork(*sequence, below(rig.engine->length(*sequence) + 1));
                    break;
                case 2: rig.engine->evict(*sequence); break;
                default: {
                    CallRequest r =
                        rig.request(prompt(static_cast<int>(1 + below(150)), step), 1 + below(300), sequence);
                    r.prompt.push_back(
                        {{}, std::vector<float>(static_cast<std::size_t>(below(3) * fake::kEmbd), 0.5f)});
                    r.prompt.push_back({prompt(static_cast<int>(below(200)), 5), {}});
                    r.replace = below(3) == 0;
                    r.overflow = below(2) == 0 ? Overflow::shift : Overflow::truncate_left;
                    r.overflow_keep = below(120);
                    if (r.overflow == Overflow::truncate_left)
                        r.max_new_tokens = std::min<std::int64_t>(r.max_new_tokens, 100);
                    const std::int64_t n_kept = below(2) == 0 ? -1 : below(r.max_new_tokens);
                    auto call = rig.engine->submit(std::move(r));
                    rig.engine->wait(*call);
                    CHECK(!call->error);
                    if (n_kept >= 0) rig.engine->cancel(*call, FinishReason::stop, n_kept);
                }
            }
            const SequenceRows& rows = sequence->rows();
            CHECK(sequence->n_cached <= rows.length());
            std::vector<std::byte> file =
                write_session_head({fake::config(), 1, Precision::exact, KvType::f32}, rows, 0, 0);
            file.resize(file.size() + 8);  // the checksum of no blocks, which is not read here
            CHECK(parse_session(MemoryBytes(file)).rows.tokens == rows.tokens);
        }
        const auto fresh = rig.engine->create_sequence(sequence->rows());
        const auto go_on = [&](const std::shared_ptr<Sequence>& from) {
            return rig.finish(rig.engine->submit(overflowing(rig, {7}, 5, Overflow::shift, 0, from)));
        };
        CHECK(go_on(sequence) == go_on(fresh));
    }
}
