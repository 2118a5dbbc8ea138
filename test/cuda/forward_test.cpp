// The network on the device, through the engine and alone: against transformers (golden values), against the CPU's, and against
// itself in other company.
#include "check.h"
#include "cuda/cuda_device.h"
#include "cuda/runtime.h"
#include "golden.h"

namespace {

using namespace neox;
using golden::EngineSetup;
using golden::Rig;

using golden::path_of;
using golden::values_of;

EngineSetup setup_of(Precision precision, KvType kv_type, std::optional<FileType> type = {}) {
    EngineSetup setup;
    setup.device = &cuda::cuda_device();
    setup.precision = precision;
    setup.kv_type = kv_type;
    setup.type = type;
    return setup;
}

std::vector<Token> random_ids(int n, int n_vocab) {
    std::vector<Token> ids;
    std::uint32_t state = 12345;
    for (int i = 0; i < n; ++i) {
        state = state * 1664525u + 1013904223u;
        ids.push_back(static_cast<Token>((state >> 8) % static_cast<std::uint32_t>(n_vocab)));
    }
    return ids;
}

}  // namespace

TEST(forward_logits_equal_transformers) {
    for (const std::string& name : golden::checkpoints()) {
        const golden::Tensors golden = values_of(name);
        Rig rig(path_of(name), setup_of(Precision::exact, KvType::f32));
        CallRequest r = rig.request(golden.ids("prompt_ids"), 0);
        for (const std::int32_t pos : golden.ids("logit_positions")) r.logits_at.push_back(pos);
        r.hidden_at = {149};
        const auto call = rig.run(std::move(r));
        CHECK_NEAR(golden::relative_difference(call->logits, golden.floats("logits")), 0, 1e-4);
        CHECK_NEAR(golden::relative_difference(call->hidden, golden.floats("hidden_last")), 0, 1e-4);
    }
}

TEST(forward_greedy_ids_equal_transformers) {
    for (const char* name :
         {"sequential-erf", "parallel-quarter-rotary", "sequential-dynamic-rope", "odd-shapes"}) {
        const golden::Tensors golden = values_of(name);
        Rig rig(path_of(name), setup_of(Precision::exact, KvType::f32));
        CHECK(rig.generate(golden.ids("greedy_prompt_ids"), 32) == golden.ids("greedy_ids"));
    }
}

// Of the weights' own rounding nothing is in these: both have the same weights.
TEST(forward_quantized_weights_give_the_cpus_logits) {
    const std::vector<Token> ids = random_ids(40, 128);
    for (const FileType type : {FileType::F16, FileType::BF16, FileType::Q8_0, FileType::Q4_0, FileType::Q4_1,
                                FileType::Q5_0, FileType::Q5_1, FileType::IQ4_NL}) {
        EngineSetup setup = setup_of(Precision::exact, KvType::f32, type);
        const std::vector<float> logits = Rig(path_of("sequential-erf"), setup).logits(ids);
        const auto tensor = [&](Precision precision, KvType kv_type) {
            return golden::relative_difference(
                Rig(path_of("sequential-erf"), setup_of(precision, kv_type, type)).logits(ids), logits);
        };
        CHECK_NEAR(tensor(Precision::high, KvType::f16), 0, 2e-3);
        setup.device = nullptr;
        CHECK_NEAR(golden::relative_difference(Rig(path_of("sequential-erf"), setup).logits(ids), logits), 0,
                   1e-5);
    }
}

TEST(forward_lower_precision_stays_near_the_exact_logits) {
    const std::vector<Token> ids = random_ids(100, 96);
    for (const char* name :
         {"sequential-tanh", "parallel-full-rotary", "sequential-dynamic-rope", "odd-shapes"}) {
        const auto logits = [&](Precision precision, KvType kv_type) {
            return Rig(path_of(name), setup_of(precision, kv_type)).logits(ids);
        };
        const std::vector<float> exact = logits(Precision::exact, KvType::f32);
        const std::vector<float> fast = logits(Precision::fast, KvType::f16);
        CHECK_NEAR(golden::relative_difference(fast, exact), 0, 3e-3);
        CHECK(logits(Precision::high, KvType::f16) == fast);
        CHECK_NEAR(golden::relative_difference(logits(Precision::fast, KvType::q8_0), exact), 0, 3e-2);
    }
}

TEST(forward_rows_have_the_same_bits_however_the_prompt_is_cut) {
    const std::vector<Token> ids = random_ids(90, 128);
    for (const Precision precision : {Precision::exact, Precision::fast}) {
        EngineSetup setup = setup_of(precision, KvType::f16, FileType::Q8_0);
        const std::vector<float> whole = Rig(path_of("sequential-erf"), setup).logits(ids);
        for (const int rows : {7, 64}) {
            setup.max_rows = rows;
            CHECK(Rig(path_of("sequential-erf"), setup).logits(ids) == whole);
        }
    }
}

// Thirteen sequences of different lengths at once: prompts beside steps, and more steps than are multiplied together.
TEST(forward_sequences_have_the_same_bits_alone_and_in_company) {
    EngineSetup setup = setup_of(Precision::fast, KvType::f16, FileType::Q8_0);
    setup.deterministic = true;
    setup.n_kv_blocks = 64;
    const auto request = [](Rig& rig, int i) {
        CallRequest r = rig.request(random_ids(5 + 6 * i, 128), 6);
        r.n_logprobs = 3;
        return r;
    };
    const auto values = [](const Drained& drained) {
        std::vector<float> out;
        for (const SampledToken& token : drained.tokens) {
            out.push_back(static_cast<float>(token.id));
            for (const TokenLogprob& top : token.top) out.push_back(top.logprob);
        }
        return out;
    };
    constexpr int kSequences = 13;
    Rig rig(path_of("sequential-erf"), setup);
    std::vector<std::shared_ptr<Call>> calls;
    for (int i = 0; i < kSequences; ++i) calls.push_back(rig.engine->submit(request(rig, i)));
    for (int i = 0; i < kSequences; ++i) {
        rig.engine->wait(*calls[static_cast<std::size_t>(i)]);
        const std::vector<float> together = values(rig.engine->drain(*calls[static_cast<std::size_t>(i)]));
        CHECK(together.size() == 6 * 4);
        if (i % 4 != 0) continue;
        Rig alone(path_of("sequential-erf"), setup);
        const auto call = alone.run(request(alone, i));
        CHECK(values(alone.engine->drain(*call)) == together);
    }
}
