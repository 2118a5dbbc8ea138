// The memory of loading: no weight is held twice on the way, and memory that cannot be had is an error.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>
#if defined(__linux__)
#include <sys/resource.h>
#endif

#include "base/aligned_buffer.h"
#include "check.h"
#include "checkpoint/json.h"
#include "jobs/convert.h"
#include "model/hf_source.h"
#include "model/load_plan.h"
#include "model/model.h"
#include "scratch.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)

namespace {

using namespace neox;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// Zeros in F16, most of which take no space on the disk: 82 MiB with 1024 for `hidden`, 5 MiB with 256.
void write_checkpoint(const scratch::Folder& folder, int hidden) {
    const std::string config =
        text(R"({"model_type": "gpt_neox", "num_hidden_layers": 2, "num_attention_heads": 16, "rotary_pct": 1,
                "max_position_embeddings": 1024, "vocab_size": )",
             8 * hidden, R"(, "hidden_size": )", hidden, R"(, "intermediate_size": )", 4 * hidden, "}");
    scratch::write(folder / "config.json", config);
    std::string header = "{";
    std::uint64_t end = 0;
    for (const ExpectedTensor& tensor :
         expected_tensors(config_from_hf(parse_json(config, "config")).config)) {
        const std::uint64_t begin = end;
        end += 2 * tensor.n_rows * tensor.n_cols;
        const bool is_vector = tensor.n_rows == 1;
        header += text(begin == 0 ? "" : ", ", "\"", hf_tensor_name(tensor.name),
                       "\": {\"dtype\": \"F16\", \"shape\": [", is_vector ? "" : text(tensor.n_rows, ", "),
                       tensor.n_cols, "], \"data_offsets\": [", begin, ", ", end, "]}");
    }
    header += "}";
    std::string head(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) head[i] = static_cast<char>(header.size() >> 8 * i & 255);
    scratch::write(folder / "model.safetensors", head + header);
    std::filesystem::resize_file(folder / "model.safetensors", 8 + header.size() + end);
}

// A field of /proc/self/status, in bytes.
std::uint64_t status(const std::string& name) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) * 1024;
    neox_check::failed(__FILE__, __LINE__, name, " is missing");
}

// Sets the most resident memory back to what is resident now, which it returns.
std::uint64_t begin_peak() {
    std::ofstream("/proc/self/clear_refs") << "5";
    return status("VmHWM");
}

// Loads and runs a prompt of 512 tokens. At its peak, all of that may hold at most 1.05 times what was estimated for it, and
// 12 MiB beside: a piece of the file for each thread, headers, what the allocator keeps.
void check_peak(const std::string& path, std::optional<FileType> type) {
    LoadOptions options;
    options.type = type;
    options.n_threads = 2;
    BackendOptions backend_options{Precision::fast, KvType::f16, 2, 16, 1024, 512};
    const std::uint64_t before = begin_peak();
    const std::shared_ptr<const Model> model = load_model(path, cpu_device(), options);
    const std::uint64_t loaded = status("VmHWM") - before;
    CHECK(loaded >= model->weights->bytes() * 9 / 10);  // else nothing was measured
    CHECK(loaded <= model->weights->bytes() * 105 / 100 + 12 * kMiB);
    const auto source = open_source(path);
    const MemoryEstimate estimate =
        estimate_memory(cpu_device(), model->config(), backend_options, plan_load(*source, type));
    CHECK_EQ(estimate.weights_bytes, model->weights->bytes());

    Backend backend{};
    check(cpu_device().create_backend(model->weights->handle(), &backend_options, &backend));
    const std::int32_t blocks[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const SequenceView sequence{blocks, 8, nullptr};
    std::vector<Row> rows(512);
    for (std::int32_t i = 0; i < 512; ++i) {
        rows[static_cast<std::size_t>(i)].pos = rows[static_cast<std::size_t>(i)].token = i;
        rows[static_cast<std::size_t>(i)].rope_length = 512;
    }
    std::int32_t argmax = -1;
    rows.back().argmax = &argmax;
    const Batch batch{rows.data(), 512, &sequence, 1};
    check(backend.forward(backend.self, &batch, 0, model->config().n_layer, nullptr));
    backend.destroy(backend.self);
    const std::uint64_t all = estimate.weights_bytes + estimate.kv_bytes + estimate.scratch_bytes;
    CHECK(status("VmHWM") - before <= all * 105 / 100 + 12 * kMiB);
}

TEST(loading_holds_no_weight_twice) {
    const scratch::Folder folder;
    write_checkpoint(folder, 1024);
    check_peak(folder.path(), {});
    check_peak(folder.path(), FileType::Q8_0);  // quantized on the way
    ConvertOptions convert_options;
    convert_options.source = folder.path();
    convert_options.output = folder / "m.gguf";
    convert_options.types.type = FileType::Q8_0;
    convert(convert_options);
    check_peak(convert_options.output, {});
}

// The address space ends after so many more bytes, as long as this lives.
class AddressLimit {
public:
    explicit AddressLimit(std::uint64_t more) {
        getrlimit(RLIMIT_AS, &old_);
        rlimit limit = old_;
        limit.rlim_cur = status("VmSize") + more;
        setrlimit(RLIMIT_AS, &limit);
    }
    ~AddressLimit() { setrlimit(RLIMIT_AS, &old_); }

private:
    rlimit old_{};
};

// What the process can write to. The C library's arenas reserve addresses beyond it that are nobody's memory yet.
std::uint64_t writable_bytes() {
    std::uint64_t all = 0;
    std::ifstream in("/proc/self/maps");
    for (std::string line; std::getline(in, line);)
        if (line.find(" rw-p ") != std::string::npos) {
            const std::size_t dash = line.find('-');
            all += std::stoull(line.substr(dash + 1), nullptr, 16) -
                   std::stoull(line.substr(0, dash), nullptr, 16);
        }
    return all;
}

TEST(memory_that_cannot_be_had_while_loading_is_an_error_with_file_and_bytes) {
    const scratch::Folder folder;
    write_checkpoint(folder, 256);
    const auto load = [&](std::optional<FileType> type) {
        LoadOptions options;
        options.type = type;
        options.n_threads = 2;
        load_model(folder.path(), cpu_device(), options);
    };
    load({});  // what the process takes once, it has
    const std::uint64_t before = writable_bytes();
    int n_refused = 0, n_loaded = 0;
    for (const std::optional<FileType> type : {std::optional<FileType>{}, std::optional{FileType::Q8_0}}) {
        for (std::uint64_t more = 0; more <= 24 * kMiB; more += kMiB / 4) {
            std::string message = "loaded";
            {
                const AddressLimit limit(more);
                try {
                    load(type);
                } catch (const Error& error) {
                    message = text(error_code_name(error.code()), " ", error.what());
                }
            }
            if (message == "loaded") {
                ++n_loaded;
                continue;
            }
            ++n_refused;
            if (!message.starts_with(
                    text("ERR_NEOX_OUT_OF_MEMORY Cannot load '", folder.path(), "' with ")) ||
                message.find(" bytes of weights") == std::string::npos)
                neox_check::failed(__FILE__, __LINE__, message);
        }
    }
    CHECK(n_refused >= 20);
    CHECK(n_loaded >= 2);
    // Perhaps one more stack of a thread, which the C library keeps for the next one.
    CHECK(writable_bytes() <= before + 12 * kMiB);
    load({});
}

}  // namespace

#endif
