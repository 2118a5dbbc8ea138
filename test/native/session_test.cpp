// Saved sessions: what follows a restored one is bit for bit what follows the original; files that do not fit or are
// damaged; saving beside calls.
#include <cstring>

#include "engine_rig.h"
#include "golden.h"
#include "jobs/session.h"
#include "scratch.h"

namespace {

using namespace neox;

const JobControl kNoControl{};

SessionBinding binding_of(const golden::Rig& rig, const golden::EngineSetup& setup) {
    return {rig.model->config(), rig.model->fingerprint, setup.precision, setup.kv_type};
}

void save(Engine& engine, const std::shared_ptr<Sequence>& sequence, const SessionBinding& binding,
          const std::string& path) {
    save_session(SequenceHold(engine, sequence), binding, path, kNoControl);
}

struct Output {
    std::vector<Token> ids;
    std::vector<float> logprobs;
    bool operator==(const Output&) const = default;
};

Output go_on(golden::Rig& rig, const std::shared_ptr<Sequence>& sequence, bool do_sample) {
    CallRequest r = rig.request({5, 6, 7}, 30);
    r.sequence = sequence;
    r.n_logprobs = 3;
    r.sampler.do_sample = do_sample;
    r.sampler.seed = 11;
    const auto call = rig.run(std::move(r));
    Output output;
    for (const SampledToken& token : rig.engine->drain(*call).tokens) {
        output.ids.push_back(token.id);
        for (const TokenLogprob& top : token.top) output.logprobs.push_back(top.logprob);
    }
    return output;
}

// 100 rows of a prompt, 3 of embeddings among them, and 40 sampled ones: two blocks and a part of a third.
std::shared_ptr<Sequence> talk(golden::Rig& rig) {
    const std::size_t n_embd = static_cast<std::size_t>(rig.model->config().n_embd);
    CallRequest r = rig.request(engine_test::prompt(40, 1), 40);
    r.prompt.push_back({{}, std::vector<float>(3 * n_embd, 0.125f)});
    r.prompt.push_back({engine_test::prompt(57, 2), {}});
    const auto sequence = r.sequence;
    r.sampler.do_sample = true;
    r.sampler.seed = 3;
    rig.run(std::move(r));
    return sequence;
}

std::vector<golden::EngineSetup> setups() {
    std::vector<golden::EngineSetup> all(4);
    all[1].kv_type = KvType::f16;
    all[2].kv_type = KvType::q8_0;
    all[2].precision = Precision::fast;
    all[2].type = FileType::Q8_0;
    all[3].precision = Precision::fast;
    return all;
}

const std::string kPath = golden::fixture("checkpoints/sequential-erf");

}  // namespace

TEST(session_restored_goes_on_bit_for_bit) {
    const scratch::Folder folder;
    for (const golden::EngineSetup& setup : setups()) {
        golden::Rig rig(kPath, setup), other(kPath, setup);
        const SessionBinding binding = binding_of(rig, setup);
        const auto sequence = talk(rig);
        const auto fork = rig.engine->fork(*sequence, 110);
        const auto evicted = rig.engine->fork(*sequence, 140);
        rig.engine->evict(*evicted);
        for (const auto& each : {sequence, fork, evicted}) {
            save(*rig.engine, each, binding, folder / "s");
            for (const bool do_sample : {false, true}) {
                const auto copy = rig.engine->fork(*each, rig.engine->length(*each));
                const auto restored =
                    restore_session(*other.engine, binding, folder / "s", false, kNoControl);
                CHECK(other.engine->tokens(*restored) == rig.engine->tokens(*each));
                CHECK_EQ(restored->n_cached, each == sequence ? 128 : each == fork ? 64 : 0);
                CHECK(go_on(other, restored, do_sample) == go_on(rig, copy, do_sample));
            }
        }
    }
}

TEST(session_of_no_rows_is_restored) {
    const scratch::Folder folder;
    golden::Rig rig(kPath);
    const auto sequence = rig.engine->create_sequence();
    save(*rig.engine, sequence, binding_of(rig, {}), folder / "s");
    const auto restored = restore_session(*rig.engine, binding_of(rig, {}), folder / "s", false, kNoControl);
    CHECK_EQ(rig.engine->length(*restored), 0);
    CHECK(go_on(rig, restored, false) == go_on(rig, sequence, false));
}

TEST(session_of_another_model_or_setting_is_refused_by_name) {
    const scratch::Folder folder;
    golden::Rig rig(kPath);
    const auto sequence = talk(rig);
    save(*rig.engine, sequence, binding_of(rig, {}), folder / "s");
    const auto message = [&](golden::Rig& into, const golden::EngineSetup& setup) -> std::string {
        try {
            restore_session(*into.engine, binding_of(into, setup), folder / "s", false, kNoControl);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::session_mismatch);
            return error.what();
        }
        return "";
    };
    golden::Rig larger(golden::fixture("checkpoints/rinna-3.6b"));
    CHECK(message(larger, {}).find("hiddenSize") != std::string::npos);
    golden::EngineSetup quantized;
    quantized.type = FileType::Q8_0;
    golden::Rig other_type(kPath, quantized);
    CHECK(message(other_type, quantized).find("weights") != std::string::npos);
    golden::EngineSetup half;
    half.kv_type = KvType::f16;
    golden::Rig other_kv(kPath, half);
    CHECK(message(other_kv, half).find("kvCacheType f32 instead of f16") != std::string::npos);
    // What was fed says all that another setting needs.
    const auto restored =
        restore_session(*other_kv.engine, binding_of(other_kv, half), folder / "s", true, kNoControl);
    CHECK_EQ(restored->n_cached, 0);
    const auto same = other_kv.engine->create_sequence(sequence->rows());
    CHECK(go_on(other_kv, restored, true) == go_on(other_kv, same, true));
    golden::EngineSetup narrow;
    narrow.n_ctx = 138;
    golden::Rig small(kPath, narrow);
    CHECK_THROWS(restore_session(*small.engine, binding_of(small, narrow), folder / "s", false, kNoControl),
                 context_full);
}

TEST(session_fingerprint_tells_weights_apart) {
    const auto print = [](const char* name, std::optional<FileType> type = {}) {
        return load_model(golden::fixture(std::string("checkpoints/") + name), cpu_device(),
                          {type, 1, {}, nullptr})
            ->fingerprint;
    };
    CHECK_EQ(print("sequential-erf"), print("sequential-erf"));
    CHECK(print("sequential-erf") != print("sequential-erf", FileType::F16));
    CHECK(print("sequential-erf") != print("sequential-tanh"));
}

namespace {

struct FakeFile {
    FakeFile() {
        sequence = rig.engine->create_sequence();
        rig.generate(engine_test::prompt(150, 1), 10, sequence);
        save(*rig.engine, sequence, binding, folder / "s");
    }
    std::shared_ptr<Sequence> restore(Engine& engine) {
        return restore_session(engine, binding, folder / "s", false, kNoControl);
    }

    scratch::Folder folder;
    SessionBinding binding{fake::config(), 42, Precision::exact, KvType::f32};
    engine_test::Rig rig;
    std::shared_ptr<Sequence> sequence;
};

}  // namespace

TEST(session_restored_computes_nothing_of_its_blocks_again) {
    FakeFile file;
    engine_test::Rig other;
    const auto restored = file.restore(*other.engine);
    CHECK(other.generate({1}, 1, restored) == file.rig.generate({1}, 1, file.sequence));
    CHECK_EQ(other.state->n_rows.load(), 160 - 128 + 1);
}

TEST(session_restored_takes_the_blocks_that_the_pool_has) {
    FakeFile file;
    const auto expected = file.rig.generate({1}, 20, file.sequence);
    engine_test::Rig tiny(3);
    auto idle = tiny.engine->create_sequence();
    tiny.generate(engine_test::prompt(100, 3), 1, idle);
    const auto restored = file.restore(*tiny.engine);
    CHECK_EQ(restored->n_cached, 128);  // the idle session gave its blocks
    CHECK_EQ(idle->n_cached, 0);
    CHECK(tiny.generate({1}, 20, restored) == expected);
    engine_test::Rig one(1);
    CHECK_EQ(file.restore(*one.engine)->n_cached, 64);
}

TEST(session_file_is_refused_at_every_cut_and_flip) {
    FakeFile file;
    const std::vector<std::byte> bytes = read_file(file.folder / "s", 1 << 20);
    CHECK_EQ(bytes.size(), 128u + 5u * 160u + 16u + 8u + 2u * 512u + 8u);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        const std::vector<std::byte> cut = scratch::prefix(bytes, n);
        CHECK_THROWS(parse_session(MemoryBytes(cut)), format_truncated);
    }
    std::vector<std::byte> longer = bytes;
    longer.push_back(std::byte{0});
    CHECK_THROWS(parse_session(MemoryBytes(longer)), format_value);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::vector<std::byte> flipped = bytes;
        flipped[i] ^= static_cast<std::byte>(1u << (i % 8));
        const bool is_head = i < bytes.size() - 2 * 512 - 8;
        const std::string code = neox_check::code_thrown_by([&] { parse_session(MemoryBytes(flipped)); });
        CHECK_EQ(code == "no error", !is_head);
        if (i % 13 != 0 && i < bytes.size() - 8) continue;  // 13 meets every bit; the checksum whole
        scratch::write(file.folder / "s", flipped);
        const std::size_t n_free = static_cast<std::size_t>(file.rig.engine->free_blocks());
        CHECK(neox_check::code_thrown_by([&] { file.restore(*file.rig.engine); }).rfind("ERR_NEOX_", 0) == 0);
        CHECK_EQ(static_cast<std::size_t>(file.rig.engine->free_blocks()), n_free);
    }
}

TEST(session_is_busy_while_it_is_held) {
    engine_test::Rig rig;
    const auto sequence = rig.engine->create_sequence();
    rig.generate({1, 2}, 1, sequence);
    {
        const SequenceHold held(*rig.engine, sequence);
        CHECK_THROWS(SequenceHold(*rig.engine, sequence), busy);
        CHECK_THROWS(rig.engine->submit(rig.request({1}, 1, sequence)), busy);
        CHECK_THROWS(rig.engine->truncate(*sequence, 0), busy);
        CHECK_THROWS(rig.engine->fork(*sequence, 0), busy);
        CHECK_EQ(rig.generate({1}, 5).size(), 5u);  // others go on
    }
    CHECK_EQ(rig.generate({1}, 5, sequence).size(), 5u);
    rig.state->layer_ms = 1;
    auto call = rig.engine->submit(rig.request({1}, 500, sequence));
    CHECK_THROWS(SequenceHold(*rig.engine, sequence), busy);
    rig.engine->cancel(*call, FinishReason::cancelled, 0);
    rig.engine->wait(*call);
}

TEST(session_saves_beside_calls_and_gives_up_when_told) {
    FakeFile file;
    file.rig.state->layer_ms = 1;
    auto call = file.rig.engine->submit(file.rig.request(engine_test::prompt(10, 5), 60));
    save(*file.rig.engine, file.sequence, file.binding, file.folder / "t");
    CHECK(read_file(file.folder / "t", 1 << 20) == read_file(file.folder / "s", 1 << 20));
    CHECK(file.rig.engine->drain(*call).state != CallState::done);
    JobControl cancelled;
    const std::atomic<bool> flag{true};
    cancelled.cancel = &flag;
    CHECK_THROWS(save_session(SequenceHold(*file.rig.engine, file.sequence), file.binding, file.folder / "u",
                              cancelled),
                 cancelled);
    CHECK_THROWS(restore_session(*file.rig.engine, file.binding, file.folder / "s", false, cancelled),
                 cancelled);
    file.rig.engine->cancel(*call, FinishReason::cancelled, 0);
    file.rig.engine->stop();
    CHECK_THROWS(save(*file.rig.engine, file.sequence, file.binding, file.folder / "u"), disposed);
    CHECK_EQ(file.folder.n_entries(), 2u);  // nothing half-written is left
}
