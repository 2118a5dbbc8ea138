// A model whose layers lie on two devices gives the bits of one device: logits, generated ids, importance sums, sessions,
// shifted contexts. Both are the CPU here.
#include "model/split_device.h"

#include <atomic>
#include <cstring>
#include <numeric>

#include "check.h"
#include "engine_rig.h"
#include "golden.h"
#include "jobs/session.h"
#include "model/load_plan.h"
#include "scratch.h"

namespace {

using namespace neox;

const std::string kDemo = golden::fixture("../../lib/assets/demo.Q8_0.gguf");
constexpr std::int32_t kDemoLayers = 4;

// The CPU under another name, that notes what it is asked for.
std::atomic<std::int64_t> n_uploads{0}, n_forwards{0};
std::atomic<bool> is_full{false}, is_fixed{false};
Backend cpu_functions{};

const Device& other_cpu() {
    static const Device device = [] {
        Device other = cpu_device();
        other.name = "other";
        other.upload = [](void* weights, const Upload* slice) {
            ++n_uploads;
            return cpu_device().upload(weights, slice);
        };
        other.create_weights = [](const void* self, const Config* config, const TensorSpec* tensors,
                                  std::size_t n_tensors, void** weights) {
            if (is_full) return make_status(ErrorCode::out_of_memory, "The other device is full.");
            return cpu_device().create_weights(self, config, tensors, n_tensors, weights);
        };
        other.create_backend = [](const void* weights, const BackendOptions* options, Backend* backend) {
            const Status status = cpu_device().create_backend(weights, options, backend);
            cpu_functions = *backend;
            backend->forward = [](void* state, const Batch* batch, std::int32_t begin, std::int32_t end,
                                  float* carry) {
                ++n_forwards;
                return cpu_functions.forward(state, batch, begin, end, carry);
            };
            backend->kv_rotate = [](void* state, const std::int32_t* blocks, std::int32_t n_blocks,
                                    std::int32_t delta) {
                if (is_fixed) return make_status(ErrorCode::unsupported, "The other device turns nothing.");
                return cpu_functions.kv_rotate(state, blocks, n_blocks, delta);
            };
            return status;
        };
        return other;
    }();
    return device;
}

const Device& split(std::int32_t n_first) { return split_device(cpu_device(), other_cpu(), n_first); }

std::vector<golden::EngineSetup> setups() {
    std::vector<golden::EngineSetup> all(4);
    all[1].kv_type = KvType::f16;
    all[1].precision = Precision::high;
    all[2].kv_type = KvType::q8_0;
    all[2].precision = Precision::fast;
    all[3].precision = Precision::fast;
    all[3].n_threads = 1;
    all[3].max_rows = 16;
    return all;
}

golden::EngineSetup on(golden::EngineSetup setup, const Device& device) {
    setup.device = &device;
    return setup;
}

// A backend of its own over a model, without an engine.
struct OwnBackend {
    OwnBackend(const std::string& path, const Device& device, KvType kv_type, std::int32_t n_ctx = 128)
        : model(load_model(path, device, {{}, 2, {}, nullptr})) {
        const BackendOptions options{Precision::exact, kv_type, 2, 4, n_ctx, 64};
        check(device.create_backend(model->weights->handle(), &options, &backend));
    }
    OwnBackend(const OwnBackend&) = delete;
    OwnBackend& operator=(const OwnBackend&) = delete;
    ~OwnBackend() { backend.destroy(backend.self); }

    std::shared_ptr<const Model> model;
    Backend backend{};
};

struct Sums {
    explicit Sums(const Config& c)
        : n_layer(static_cast<std::size_t>(c.n_layer)), n_embd(static_cast<std::size_t>(c.n_embd)),
          values(n_layer * (3 * n_embd + static_cast<std::size_t>(c.n_ff)) + n_embd) {}
    InputSquares sink() {
        double* at = values.data();
        const std::size_t side = n_layer * n_embd;
        return {at, at + side, at + 2 * side, at + 3 * side + n_embd, at + 3 * side};
    }
    const std::size_t n_layer, n_embd;
    std::vector<double> values;
};

// The cached blocks and the sums that a prompt leaves, run at once (step 0) or so many layers at a time.
std::pair<std::vector<std::byte>, std::vector<double>> run_prompt(OwnBackend& own, std::int32_t step) {
    const Config& c = own.model->config();
    const std::int32_t blocks[] = {2};
    const SequenceView sequence{blocks, 1, nullptr};
    std::vector<Row> rows(40);
    for (std::int32_t i = 0; i < 40; ++i) {
        Row& row = rows[static_cast<std::size_t>(i)];
        row.pos = i;
        row.rope_length = 40;
        row.token = (i * 7 + 3) % c.n_vocab;
    }
    std::vector<float> hidden(static_cast<std::size_t>(c.n_embd));
    rows.back().hidden = hidden.data();
    Sums sums(c);
    const InputSquares sink = sums.sink();
    const Batch batch{rows.data(), 40, &sequence, 1, &sink};
    std::vector<float> carry(40 * static_cast<std::size_t>(c.n_embd));
    if (step == 0)
        check(own.backend.forward(own.backend.self, &batch, 0, c.n_layer, nullptr));
    else
        for (std::int32_t layer = 0; layer < c.n_layer; layer += step)
            check(own.backend.forward(own.backend.self, &batch, layer, std::min(layer + step, c.n_layer),
                                      carry.data()));
    std::vector<std::byte> bytes(own.backend.kv_block_bytes + hidden.size() * sizeof(float));
    check(own.backend.kv_read(own.backend.self, 2, bytes.data()));
    std::memcpy(bytes.data() + own.backend.kv_block_bytes, hidden.data(), hidden.size() * sizeof(float));
    return {bytes, sums.values};
}

}  // namespace

TEST(split_device_gives_the_bits_of_one_device_for_every_cut) {
    for (const golden::EngineSetup& setup : setups()) {
        golden::Rig whole(kDemo, setup);
        const auto prompt = engine_test::prompt(70, 1);
        const std::vector<float> logits = whole.logits(prompt);
        const std::vector<Token> ids = whole.generate(prompt, 20);
        for (std::int32_t n_first = 1; n_first < kDemoLayers; ++n_first) {
            n_forwards = 0;
            golden::Rig cut(kDemo, on(setup, split(n_first)));
            CHECK(cut.logits(prompt) == logits);
            CHECK(cut.generate(prompt, 20) == ids);
            CHECK(n_forwards > 20);
        }
    }
}

TEST(split_device_gives_the_golden_models_bits) {
    int n_cut = 0;
    for (const std::string& name : golden::checkpoints()) {
        const std::string path = golden::fixture("checkpoints/" + name);
        golden::Rig whole(path);
        if (whole.model->config().n_layer != 2) continue;
        golden::Rig cut(path, on({}, split(1)));
        CHECK(cut.logits({1, 5, 9, 4, 7}) == whole.logits({1, 5, 9, 4, 7}));
        ++n_cut;
    }
    CHECK_EQ(n_cut, 5);
}

TEST(split_device_puts_each_tensor_on_one_device) {
    const auto whole = load_model(kDemo, cpu_device(), {{}, 1, {}, nullptr});
    std::int64_t before = 0;
    for (std::int32_t n_first = kDemoLayers - 1; n_first > 0; --n_first) {
        n_uploads = 0;
        const auto model = load_model(kDemo, split(n_first), {{}, 1, {}, nullptr});
        CHECK(n_uploads > before);  // one layer more
        before = n_uploads;
        CHECK_EQ(model->weights->bytes(), whole->weights->bytes());
        CHECK_EQ(gpu_layers(model->weights->device(), kDemoLayers), kDemoLayers - n_first);
        const auto again = load_model(kDemo, split(n_first), {{}, 1, {}, nullptr});
        CHECK(again->weights == model->weights);
        CHECK(model->weights != whole->weights);
    }
    CHECK_EQ(gpu_layers(cpu_device(), kDemoLayers), 0);
    CHECK_EQ(gpu_layers(other_cpu(), kDemoLayers), kDemoLayers);
    CHECK_EQ(host_weights_bytes(cpu_device(), whole->weights->handle()), whole->weights->bytes());
    const auto cut = load_model(kDemo, split(1), {{}, 1, {}, nullptr});
    const std::uint64_t host = host_weights_bytes(split(1), cut->weights->handle());
    CHECK(host > 0 && host < whole->weights->bytes());
    std::vector<float> a(static_cast<std::size_t>(whole->config().n_embd)), b(a.size());
    check(cpu_device().embed(whole->weights->handle(), 17, a.data()));
    check(split(1).embed(cut->weights->handle(), 17, b.data()));
    CHECK(a == b);
}

TEST(split_device_adds_its_parts_up) {
    const auto source = open_source(kDemo);
    const LoadPlan plan = plan_load(*source, {});
    const BackendOptions options{Precision::fast, KvType::q8_0, 2, 16, 256, 64};
    const MemoryEstimate whole = estimate_memory(cpu_device(), source->config(), options, plan);
    const MemoryEstimate cut = estimate_memory(split(2), source->config(), options, plan);
    CHECK_EQ(cut.weights_bytes, whole.weights_bytes);
    CHECK_EQ(cut.kv_bytes, whole.kv_bytes);
    CHECK(cut.scratch_bytes > whole.scratch_bytes);
    CHECK_THROWS(estimate_memory(split(kDemoLayers), source->config(), options, plan), internal);
    CHECK_THROWS(load_model(kDemo, split(kDemoLayers + 3), {}), internal);
}

TEST(split_device_keeps_blocks_sums_and_parts_of_layers) {
    for (const KvType kv_type : {KvType::f32, KvType::f16, KvType::q8_0}) {
        OwnBackend whole(kDemo, cpu_device(), kv_type);
        const auto expected = run_prompt(whole, 0);
        for (std::int32_t n_first = 1; n_first < kDemoLayers; ++n_first) {
            OwnBackend cut(kDemo, split(n_first), kv_type);
            CHECK_EQ(cut.backend.kv_block_bytes, whole.backend.kv_block_bytes);
            for (const std::int32_t step : {0, 1, 2, 3}) {
                const auto found = run_prompt(cut, step);
                CHECK(found.first == expected.first);
                CHECK(found.second == expected.second);
            }
            std::vector<std::byte> read(cut.backend.kv_block_bytes);
            check(cut.backend.kv_copy(cut.backend.self, 2, 1, 40));
            check(cut.backend.kv_write(cut.backend.self, 3, expected.first.data()));
            for (const std::int32_t block : {1, 3}) {
                check(cut.backend.kv_read(cut.backend.self, block, read.data()));
                CHECK(std::memcmp(read.data(), expected.first.data(), read.size()) == 0);
            }
            const std::int32_t blocks[] = {1};
            std::vector<std::byte> turned(read.size());
            check(cut.backend.kv_rotate(cut.backend.self, blocks, 1, 64));
            check(whole.backend.kv_copy(whole.backend.self, 2, 1, 40));
            check(whole.backend.kv_rotate(whole.backend.self, blocks, 1, 64));
            check(cut.backend.kv_read(cut.backend.self, 1, read.data()));
            check(whole.backend.kv_read(whole.backend.self, 1, turned.data()));
            CHECK(read == turned);
            CHECK(std::memcmp(read.data(), expected.first.data(), read.size()) != 0);
        }
    }
}

TEST(split_device_restores_sessions_of_any_cut) {
    const scratch::Folder folder;
    const golden::EngineSetup one = on({}, split(1));
    const auto binding = [](const golden::Rig& rig) {
        const Config& c = rig.model->config();
        return SessionBinding{c, rig.model->fingerprint, Precision::exact, KvType::f32};
    };
    const auto go_on = [](golden::Rig& rig, const std::shared_ptr<Sequence>& sequence) {
        CallRequest r = rig.request({5, 6}, 12);
        r.sequence = sequence;
        const auto call = rig.run(std::move(r));
        std::vector<Token> ids;
        for (const SampledToken& token : rig.engine->drain(*call).tokens) ids.push_back(token.id);
        return ids;
    };
    golden::Rig rig(kDemo, one);
    CallRequest talk = rig.request(engine_test::prompt(100, 2), 40);
    const auto sequence = talk.sequence;
    rig.run(std::move(talk));
    save_session(SequenceHold(*rig.engine, sequence), binding(rig), folder / "s", {});
    const auto expected = go_on(rig, sequence);

    for (const Device* device : {&split(1), &split(2), &other_cpu(), &cpu_device()}) {
        golden::Rig other(kDemo, on({}, *device));
        const auto restored = restore_session(*other.engine, binding(other), folder / "s", false, {});
        CHECK_EQ(restored->n_cached, 128);
        CHECK(go_on(other, restored) == expected);
    }
}

TEST(split_device_drops_cancelled_rows_on_both_sides) {
    OwnBackend cut(kDemo, split(2), KvType::f32);
    const Config& c = cut.model->config();
    const std::int32_t blocks[] = {0, 1};
    std::atomic<std::int32_t> cancelled{1};
    const SequenceView sequences[] = {{blocks, 1, &cancelled}, {blocks + 1, 1, nullptr}};
    RowStatus status[2] = {RowStatus::done, RowStatus::dropped};
    std::vector<float> logits(static_cast<std::size_t>(c.n_vocab));
    Row rows[2]{};
    for (std::int32_t i = 0; i < 2; ++i) {
        rows[i].sequence = i;
        rows[i].rope_length = 1;
        rows[i].token = 5 + i;
        rows[i].status = &status[i];
    }
    rows[1].logits = logits.data();
    const Batch batch{rows, 2, sequences, 2};
    check(cut.backend.forward(cut.backend.self, &batch, 0, c.n_layer, nullptr));
    CHECK(status[0] == RowStatus::dropped && status[1] == RowStatus::done);
    golden::Rig whole(kDemo);
    CHECK(whole.logits({6}) == logits);
}

TEST(split_device_reports_what_its_parts_report) {
    is_full = true;
    CHECK_THROWS(load_model(kDemo, split_device(cpu_device(), other_cpu(), 3), {}), out_of_memory);
    is_full = false;
    OwnBackend cut(kDemo, split(3), KvType::f32);
    Row row{};
    row.rope_length = 1;
    row.token = 1 << 20;
    const std::int32_t block = 0;
    const SequenceView sequence{&block, 1, nullptr};
    const Batch batch{&row, 1, &sequence, 1};
    CHECK_THROWS(check(cut.backend.forward(cut.backend.self, &batch, 0, kDemoLayers, nullptr)),
                 invalid_argument);
    CHECK_THROWS(check(cut.backend.forward(cut.backend.self, &batch, 1, kDemoLayers, nullptr)), internal);
    CHECK_THROWS(check(cut.backend.kv_copy(cut.backend.self, 0, 99, 1)), internal);
}

TEST(split_device_turns_nothing_where_one_part_cannot) {
    OwnBackend cut(kDemo, split(2), KvType::f32);
    const auto before = run_prompt(cut, 0).first;
    is_fixed = true;
    const std::int32_t block = 2;
    CHECK_THROWS(check(cut.backend.kv_rotate(cut.backend.self, nullptr, 0, 64)), unsupported);
    CHECK_THROWS(check(cut.backend.kv_rotate(cut.backend.self, &block, 1, 64)), unsupported);
    is_fixed = false;
    std::vector<std::byte> after(cut.backend.kv_block_bytes);
    check(cut.backend.kv_read(cut.backend.self, 2, after.data()));
    CHECK(std::memcmp(after.data(), before.data(), after.size()) == 0);
}
