// One backend on the device, asked directly: what a row can want, layer ranges, cancelled sequences, memory, errors.
#include <atomic>
#include <cmath>
#include <limits>

#include "check.h"
#include "cuda/cuda_device.h"
#include "cuda/runtime.h"
#include "cuda/state.h"
#include "golden.h"
#include "model/load_plan.h"
#include "model/profile.h"
#include "model/source.h"

namespace {

using namespace neox;

using golden::path_of;

constexpr std::int32_t kBlocks[] = {3, 1, 6, 0};

// A model on a device and a backend over it.
struct Loaded {
    explicit Loaded(const std::string& name, const BackendOptions& options,
                    const Device& device = cuda::cuda_device(), std::optional<FileType> type = {})
        : model(load_model(path_of(name), device, {type, 1, {}, nullptr})) {
        check(device.create_backend(model->weights->handle(), &options, &backend));
    }
    ~Loaded() { backend.destroy(backend.self); }
    const Config& config() const { return model->config(); }
    Status forward(const std::vector<Row>& rows, const SequenceView* sequences, std::int32_t n_sequences,
                   PassProfile* profile = nullptr, const InputSquares* squares = nullptr) const {
        Batch batch{rows.data(), static_cast<std::int32_t>(rows.size()), sequences, n_sequences};
        batch.profile = profile;
        batch.input_squares = squares;
        return backend.forward(backend.self, &batch, 0, config().n_layer, nullptr);
    }
    void run(const std::vector<Row>& rows, PassProfile* profile = nullptr,
             const InputSquares* squares = nullptr) const {
        const SequenceView sequence{kBlocks, 4, nullptr};
        check(forward(rows, &sequence, 1, profile, squares));
    }

    std::shared_ptr<const Model> model;
    Backend backend{};
};

BackendOptions options_of(Precision precision, KvType kv_type) {
    return {precision, kv_type, 1, 8, 200, 128};
}

// Rows of sequence 0 at the positions from `pos` on.
std::vector<Row> rows_of(int n, RowPhase phase, int pos = 0) {
    std::vector<Row> rows(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) {
        Row& row = rows[static_cast<std::size_t>(i)];
        row.pos = pos + i;
        row.rope_length = pos + n;
        row.token = (7 * (pos + i) + 3) % 90;
        row.phase = phase;
    }
    return rows;
}

// Everything that a row can want, and room for it.
struct Wanted {
    explicit Wanted(const Config& c)
        : hidden(static_cast<std::size_t>(c.n_embd)), logits(static_cast<std::size_t>(c.n_vocab)) {}
    void ask(Row& row) {
        row.hidden = hidden.data();
        row.logits = logits.data();
        row.argmax = &argmax;
        row.targets = targets;
        row.n_targets = 3;
        row.target_logprobs = target_logprobs;
        row.n_top = 5;
        row.top_ids = top_ids;
        row.top_logprobs = top_logprobs;
        row.status = &status;
    }
    std::vector<float> hidden, logits;
    std::int32_t argmax = -1, targets[3] = {5, 0, 89}, top_ids[5] = {};
    float target_logprobs[3] = {}, top_logprobs[5] = {};
    RowStatus status = RowStatus::dropped;
};

void check_near(const float* actual, const float* expected, std::size_t n, double tolerance) {
    for (std::size_t i = 0; i < n; ++i) CHECK_NEAR(actual[i], expected[i], tolerance);
}

}  // namespace

// 70 rows: more than the head takes at a time.
TEST(backend_rows_get_everything_that_they_want) {
    const BackendOptions options = options_of(Precision::exact, KvType::f32);
    const auto run = [&](const Device& device, RowPhase phase) {
        const Loaded loaded("sequential-erf", options, device);
        std::vector<Row> rows = rows_of(70, phase);
        std::vector<Wanted> wanted(rows.size(), Wanted(loaded.config()));
        for (std::size_t i = 0; i < rows.size(); ++i)
            if (i != 1) wanted[i].ask(rows[i]);
        loaded.run(rows);
        return wanted;
    };
    for (const RowPhase phase : {RowPhase::prompt, RowPhase::step}) {
        const auto expected = run(cpu_device(), phase), actual = run(cuda::cuda_device(), phase);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const Wanted &a = actual[i], &e = expected[i];
            check_near(a.hidden.data(), e.hidden.data(), a.hidden.size(), 2e-5);
            check_near(a.logits.data(), e.logits.data(), a.logits.size(), 2e-5);
            check_near(a.target_logprobs, e.target_logprobs, 3, 4e-5);
            check_near(a.top_logprobs, e.top_logprobs, 5, 4e-5);
            CHECK(a.status == (i == 1 ? RowStatus::dropped : RowStatus::done));
            if (i == 1) continue;
            CHECK_EQ(a.argmax, a.top_ids[0]);
            CHECK_EQ(a.top_logprobs[0] > a.top_logprobs[4], true);
            CHECK_NEAR(a.logits[static_cast<std::size_t>(a.argmax)],
                       e.logits[static_cast<std::size_t>(e.argmax)], 2e-5);
        }
    }
}

TEST(backend_graphs_and_profiles_change_no_bit) {
    for (const Precision precision : {Precision::exact, Precision::fast}) {
        const auto run = [&](bool measured) {
            const Loaded loaded("parallel-quarter-rotary", options_of(precision, KvType::f16));
            std::vector<float> all;
            PassProfile profile;
            for (int step = 0; step < 4; ++step) {
                std::vector<Row> rows = rows_of(2, RowPhase::step, 2 * step);
                Wanted wanted(loaded.config());
                wanted.ask(rows[1]);
                loaded.run(rows, measured ? &profile : nullptr);
                all.insert(all.end(), wanted.logits.begin(), wanted.logits.end());
            }
            std::uint64_t ns = 0;
            for (const OpTime& op : profile.ops) ns += op.ns;
            CHECK_EQ(measured, ns > 0);
            if (measured) CHECK(profile.ops[static_cast<int>(Op::fc1)].ns > 0);
            // Directly, recorded, and twice from the recording.
            const cuda::GraphCache& graphs = static_cast<const cuda::CudaState*>(loaded.backend.self)->graphs;
            CHECK_EQ(graphs.n_recorded(), measured ? 0u : 1u);
            CHECK_EQ(graphs.n_replayed(), measured ? 0u : 2u);
            return all;
        };
        CHECK(run(false) == run(true));
    }
}

#if !defined(NEOX_CUDA_EMULATED)

// Where a kernel touches anything before it has waited for the kernel before it, no sanitizer sees it; here its bits may.
TEST(backend_overlap_changes_no_bit) {
    const auto run = [](bool overlaps) {
        cuda::set_overlap(overlaps);
        const Loaded loaded("parallel-quarter-rotary", options_of(Precision::fast, KvType::f16));
        std::vector<float> all;
        const auto pass = [&](int n, RowPhase phase, int pos) {
            std::vector<Row> rows = rows_of(n, phase, pos);
            std::vector<Wanted> wanted(rows.size(), Wanted(loaded.config()));
            for (std::size_t i = 0; i < rows.size(); ++i) wanted[i].ask(rows[i]);
            loaded.run(rows);
            for (const Wanted& w : wanted) all.insert(all.end(), w.logits.begin(), w.logits.end());
        };
        pass(70, RowPhase::prompt, 0);
        for (int step = 0; step < 20; ++step) pass(2, RowPhase::step, 70 + 2 * step);
        cuda::set_overlap(true);
        return all;
    };
    const std::vector<float> expected = run(false);
    for (int repeat = 0; repeat < 10; ++repeat) CHECK(run(true) == expected);
}

#endif

TEST(backend_layer_ranges_compose) {
    const Loaded loaded("sequential-erf", options_of(Precision::fast, KvType::f16));
    const Config& c = loaded.config();
    const SequenceView sequence{kBlocks, 4, nullptr};
    for (const RowPhase phase : {RowPhase::prompt, RowPhase::step}) {
        std::vector<float> whole(static_cast<std::size_t>(c.n_vocab)), split(whole.size());
        std::vector<Row> rows = rows_of(5, phase);
        const Batch batch{rows.data(), 5, &sequence, 1};
        rows[4].logits = whole.data();
        check(loaded.backend.forward(loaded.backend.self, &batch, 0, c.n_layer, nullptr));
        std::vector<float> carry(static_cast<std::size_t>(5 * c.n_embd));
        rows[4].logits = split.data();
        check(loaded.backend.forward(loaded.backend.self, &batch, 0, 1, carry.data()));
        check(loaded.backend.forward(loaded.backend.self, &batch, 1, c.n_layer, carry.data()));
        CHECK(whole == split);
    }
}

// A backend that holds the last layer alone goes on where one that holds the first has stopped.
TEST(backend_holds_the_layers_that_it_is_asked_for) {
    BackendOptions options = options_of(Precision::exact, KvType::f32);
    const Loaded both("sequential-erf", options);
    options.layer_end = 1;
    const Loaded first("sequential-erf", options);
    options.layer_begin = 1;
    options.layer_end = 2;
    const Loaded last("sequential-erf", options);
    CHECK_EQ(first.backend.kv_block_bytes * 2, both.backend.kv_block_bytes);
    const Config& c = both.config();
    std::vector<Row> rows = rows_of(6, RowPhase::prompt);
    Wanted whole(c), split(c);
    whole.ask(rows[5]);
    both.run(rows);
    split.ask(rows[5]);
    const SequenceView sequence{kBlocks, 4, nullptr};
    const Batch batch{rows.data(), 6, &sequence, 1};
    std::vector<float> carry(static_cast<std::size_t>(6 * c.n_embd));
    check(first.backend.forward(first.backend.self, &batch, 0, 1, carry.data()));
    check(last.backend.forward(last.backend.self, &batch, 1, 2, carry.data()));
    CHECK(whole.logits == split.logits);
    CHECK_EQ(first.backend.forward(first.backend.self, &batch, 0, 2, nullptr).code,
             static_cast<std::int32_t>(ErrorCode::internal));
}

TEST(backend_vectors_stand_for_tokens) {
    const Loaded loaded("odd-shapes", options_of(Precision::exact, KvType::f32));
    std::vector<Row> rows = rows_of(4, RowPhase::prompt);
    Wanted of_tokens(loaded.config()), of_vectors(loaded.config());
    of_tokens.ask(rows[3]);
    loaded.run(rows);
    std::vector<float> vectors(static_cast<std::size_t>(2 * loaded.config().n_embd));
    for (int i = 0; i < 2; ++i) {
        float* vector = vectors.data() + i * loaded.config().n_embd;
        Row& row = rows[static_cast<std::size_t>(2 * i)];
        check(cuda::cuda_device().embed(loaded.model->weights->handle(), row.token, vector));
        row.embedding = vector;
        row.token = -1;
    }
    of_vectors.ask(rows[3]);
    loaded.run(rows);
    CHECK(of_tokens.logits == of_vectors.logits);
}

TEST(backend_nan_is_told_of_its_row_alone) {
    const Loaded loaded("sequential-erf", options_of(Precision::exact, KvType::f32));
    std::vector<Row> rows = rows_of(3, RowPhase::prompt);
    std::vector<float> vector(static_cast<std::size_t>(loaded.config().n_embd));
    vector[3] = std::numeric_limits<float>::quiet_NaN();
    rows[2].embedding = vector.data();
    Wanted good(loaded.config()), bad(loaded.config());
    good.ask(rows[1]);
    bad.ask(rows[2]);
    bad.argmax = -7;
    loaded.run(rows);
    CHECK(good.status == RowStatus::done && !std::isnan(good.logits[0]));
    CHECK(bad.status == RowStatus::nan && std::isnan(bad.logits[0]) && std::isnan(bad.hidden[0]));
    CHECK_EQ(bad.argmax, -7);
}

TEST(backend_cancelled_sequences_leave_the_others_bits) {
    const Loaded loaded("sequential-erf", options_of(Precision::fast, KvType::f16));
    std::atomic<std::int32_t> cancel{1};
    const SequenceView sequences[] = {{kBlocks, 2, nullptr}, {kBlocks + 2, 2, &cancel}};
    std::vector<Row> rows = rows_of(70, RowPhase::prompt);
    Wanted alone(loaded.config()), beside(loaded.config()), cancelled(loaded.config());
    alone.ask(rows[69]);
    check(loaded.forward(rows, sequences, 1));
    beside.ask(rows[69]);
    for (const Row& row : rows_of(9, RowPhase::prompt)) {
        rows.push_back(row);
        rows.back().sequence = 1;
    }
    cancelled.ask(rows.back());
    cancelled.status = RowStatus::done;
    cancelled.argmax = -7;
    check(loaded.forward(rows, sequences, 2));
    CHECK(beside.status == RowStatus::done && cancelled.status == RowStatus::dropped);
    CHECK(alone.logits == beside.logits);
    CHECK_EQ(cancelled.argmax, -7);
    // Nothing is left of such a pass.
    rows.erase(rows.begin(), rows.begin() + 70);
    cancelled.status = RowStatus::done;
    check(loaded.forward(rows, sequences, 2));
    CHECK(cancelled.status == RowStatus::dropped);
}

TEST(backend_squares_of_inputs_are_the_cpus) {
    const auto run = [&](const Device& device) {
        const Loaded loaded("parallel-quarter-rotary", options_of(Precision::exact, KvType::f32), device);
        const Config& c = loaded.config();
        const auto n_layer = static_cast<std::size_t>(c.n_layer), n_embd = static_cast<std::size_t>(c.n_embd),
                   n_ff = static_cast<std::size_t>(c.n_ff);
        std::vector<double> sums((3 * n_layer + 1) * n_embd + n_layer * n_ff);
        const InputSquares squares{sums.data(), sums.data() + n_layer * n_embd,
                                   sums.data() + 2 * n_layer * n_embd, sums.data() + 3 * n_layer * n_embd,
                                   sums.data() + 3 * n_layer * n_embd + n_layer * n_ff};
        loaded.run(rows_of(70, RowPhase::prompt), nullptr, &squares);
        loaded.run(rows_of(3, RowPhase::prompt, 70), nullptr, &squares);
        return sums;
    };
    const std::vector<double> actual = run(cuda::cuda_device()), expected = run(cpu_device());
    for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK_NEAR(actual[i], expected[i], 1e-4 * (1.0 + expected[i]));
}

TEST(backend_takes_the_memory_that_was_estimated) {
    const Device& device = cuda::cuda_device();
    const auto taken = [] {
        const cuda::DeviceMemory memory = cuda::device_memory();
        return memory.total_bytes - memory.free_bytes;
    };
    for (const char* name : {"sequential-erf", "sequential-dynamic-rope", "odd-shapes"})
        for (const Precision precision : {Precision::exact, Precision::fast}) {
            const BackendOptions options = options_of(precision, KvType::q8_0);
            const auto source = open_source(path_of(name));
            const MemoryEstimate estimate =
                estimate_memory(device, source->config(), options, plan_load(*source, FileType::F16));
            const std::uint64_t before = taken();
            auto model = load_model(path_of(name), device, {FileType::F16, 1, {}, nullptr});
            CHECK_EQ(device.weights_bytes(model->weights->handle()), estimate.weights_bytes);
            Backend backend{};
            check(device.create_backend(model->weights->handle(), &options, &backend));
            CHECK_EQ(taken() - before, estimate.weights_bytes + estimate.kv_bytes + estimate.scratch_bytes);
            backend.destroy(backend.self);
            model.reset();
            CHECK_EQ(taken(), before);
        }
}

TEST(backend_errors_name_what_is_wrong) {
    const BackendOptions options = options_of(Precision::fast, KvType::f16);
    const Loaded loaded("sequential-erf", options);
    const auto code_of = [&](const std::vector<Row>& rows, const SequenceView& sequence) {
        return static_cast<ErrorCode>(loaded.forward(rows, &sequence, 1).code);
    };
    const SequenceView sequence{kBlocks, 4, nullptr}, short_one{kBlocks, 1, nullptr};
    const std::int32_t wrong_blocks[] = {8, 0, 1, 2};
    std::vector<Row> rows = rows_of(1, RowPhase::step);
    CHECK(code_of(rows, sequence) == ErrorCode::ok);
    CHECK(code_of(rows, {wrong_blocks, 4, nullptr}) == ErrorCode::internal);
    CHECK(code_of(rows_of(129, RowPhase::prompt), sequence) == ErrorCode::internal);
    CHECK(code_of(rows_of(1, RowPhase::step, 64), short_one) == ErrorCode::internal);
    CHECK(code_of(rows_of(1, RowPhase::step, 200), sequence) == ErrorCode::context_full);
    rows[0].token = loaded.config().n_vocab;
    CHECK(code_of(rows, sequence) == ErrorCode::invalid_argument);
    rows = rows_of(1, RowPhase::step);
    rows[0].sequence = 1;
    CHECK(code_of(rows, sequence) == ErrorCode::internal);
    // A pool beyond every memory.
    BackendOptions large = options;
    large.n_kv_blocks = std::numeric_limits<std::int32_t>::max();
    Backend backend{};
    CHECK(static_cast<ErrorCode>(
              cuda::cuda_device().create_backend(loaded.model->weights->handle(), &large, &backend).code) ==
          ErrorCode::out_of_memory);
    CHECK(code_of(rows_of(1, RowPhase::step), sequence) == ErrorCode::ok);
}

TEST(backend_probe_says_what_there_is) {
    DeviceProbe probe{};
    const Device& device = cuda::cuda_device();
    check(device.probe(device.self, &probe));
    CHECK_EQ(probe.is_usable, 1);
    CHECK(probe.name[0] != 0 && probe.driver[0] != 0 && probe.reason[0] == 0);
    CHECK(probe.total_bytes > 0 && probe.free_bytes <= probe.total_bytes);
}
