// The first layers on the CPU and the others on the device, through the engine: what the device runs without an embedding of its own.
#include "check.h"
#include "cuda/cuda_device.h"
#include "golden.h"
#include "model/split_device.h"

namespace {

using namespace neox;
using golden::EngineSetup;
using golden::Rig;

using golden::path_of;
using golden::values_of;
const std::string kDemo = golden::fixture("../../lib/assets/demo.Q8_0.gguf");
constexpr std::int32_t kDemoLayers = 4;

EngineSetup setup_of(std::int32_t n_first, Precision precision, KvType kv_type) {
    EngineSetup setup;
    setup.device = &split_device(cpu_device(), cuda::cuda_device(), n_first);
    setup.precision = precision;
    setup.kv_type = kv_type;
    return setup;
}

std::vector<Token> some_ids(int n) {
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back((7 * i + 3) % 90);
    return ids;
}

}  // namespace

TEST(split_logits_and_greedy_ids_equal_transformers) {
    for (const char* name : {"sequential-erf", "parallel-quarter-rotary"}) {
        const golden::Tensors golden = values_of(name);
        Rig rig(path_of(name), setup_of(1, Precision::exact, KvType::f32));
        CallRequest r = rig.request(golden.ids("prompt_ids"), 0);
        for (const std::int32_t pos : golden.ids("logit_positions")) r.logits_at.push_back(pos);
        const auto call = rig.run(std::move(r));
        CHECK_NEAR(golden::relative_difference(call->logits, golden.floats("logits")), 0, 1e-4);
        CHECK(rig.generate(golden.ids("greedy_prompt_ids"), 32) == golden.ids("greedy_ids"));
    }
}

// Weights in codes, rounded activations, and every cut of a model of four layers.
TEST(split_of_every_cut_stays_near_the_exact_logits) {
    EngineSetup cpu;
    const std::vector<Token> ids = some_ids(24);
    const std::vector<float> exact = Rig(kDemo, cpu).logits(ids);
    for (std::int32_t n_first = 1; n_first < kDemoLayers; ++n_first) {
        const auto difference = [&](Precision precision, KvType kv_type) {
            Rig rig(kDemo, setup_of(n_first, precision, kv_type));
            return golden::relative_difference(rig.logits(ids), exact);
        };
        CHECK_NEAR(difference(Precision::exact, KvType::f32), 0, 1e-5);
        CHECK_NEAR(difference(Precision::high, KvType::f16), 0, 5e-3);
    }
}
