// The search for a NaN's layer, over a backend that plants values in what rows carry.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "engine/nan_search.h"

namespace {

using namespace neox;

constexpr std::int32_t kLayers = 5, kEmbd = 3, kRows = 64;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

struct Planted {
    std::int32_t stage;     // 0: embedding, n: behind layer n - 1
    std::int32_t position;  // of the row
    float value;
};

struct Net {
    std::vector<Planted> planted;
    bool norm_is_nan = false;
    std::int32_t fail_at_layer = -1;
    std::atomic<std::int32_t>* cancel = nullptr;  // set by the first pass
    int n_forward = 0;
    std::vector<std::int32_t> positions;  // of the first range of each batch
};

Status forward(void* self, const Batch* batch, std::int32_t begin, std::int32_t end, float* carry) {
    Net& net = *static_cast<Net*>(self);
    ++net.n_forward;
    if (net.cancel) net.cancel->store(1);
    if (end > begin && begin == net.fail_at_layer) return make_status(ErrorCode::backend, "no");
    for (std::int32_t i = 0; i < batch->n_rows; ++i) {
        const Row& row = batch->rows[i];
        if (end == 0) net.positions.push_back(row.pos);
        for (const Planted& p : net.planted)
            if (p.stage == end && p.position == row.pos) carry[i * kEmbd + 1] = p.value;
        if (end == kLayers && row.hidden)
            for (int k = 0; k < kEmbd; ++k) row.hidden[k] = net.norm_is_nan ? kNan : 0.0f;
    }
    return {};
}

// What the error says of an output at position `n` - 1.
std::string search(Net& net, int n, std::int32_t n_blocks = 8, std::atomic<std::int32_t>* cancel = nullptr) {
    Config config;
    config.n_layer = kLayers;
    config.n_embd = kEmbd;
    Backend backend{};
    backend.self = &net;
    backend.forward = forward;
    const auto pool = std::make_shared<KvPool>(n_blocks);
    Sequence sequence(pool, kEmbd);
    const std::vector<PromptPart> prompt{{std::vector<Token>(static_cast<std::size_t>(n), 1), {}}};
    sequence.append(prompt);
    const Error error = nan_error({backend, config, pool, kRows}, sequence, n - 1, cancel);
    CHECK(error.code() == ErrorCode::nan_logits);
    CHECK(pool->n_free() == n_blocks);
    return error.what();
}

bool says(const std::string& message, const std::string& part) {
    return message.find(part) != std::string::npos;
}

}  // namespace

TEST(nan_search_names_the_first_layer_and_position) {
    Net net;
    net.planted = {{3, 7, kNan}, {4, 2, kNan}, {3, 9, kNan}};
    CHECK(search(net, 20) == "The output at position 19 holds a NaN. It first shows at position 7 in layer 2 "
                             "(of 5, counted from 0).");
    net = {};
    net.planted = {{0, 4, kNan}};
    CHECK(says(search(net, 20), "It first shows at position 4 in the embedding."));
    CHECK(net.n_forward == 1);
}

TEST(nan_search_names_an_infinity_that_came_before) {
    Net net;
    net.planted = {{2, 5, -kInf}, {2, 6, kInf}, {4, 6, kNan}};
    CHECK(says(
        search(net, 20),
        "at position 6 in layer 3 (of 5, counted from 0), after an infinity at position 5 in layer 1 (of 5"));
    net.planted = {{4, 5, kInf}, {4, 6, kNan}};
    CHECK(!says(search(net, 20), "infinity"));
}

TEST(nan_search_tells_the_final_norm_from_the_head) {
    Net net;
    CHECK(says(search(net, 20), "It first shows there, in the head."));
    net.norm_is_nan = true;
    CHECK(says(search(net, 20), "It first shows there, in the final norm."));
    net.planted = {{5, 3, kInf}};
    CHECK(says(search(net, 20), "in the final norm, after an infinity at position 3 in layer 4"));
}

TEST(nan_search_goes_through_long_prompts_in_batches) {
    Net net;
    net.planted = {{1, 150, kNan}};
    CHECK(says(search(net, 200), "at position 150 in layer 0"));
    CHECK(net.positions.size() == 192);
    for (std::size_t i = 0; i < net.positions.size(); ++i)
        CHECK(net.positions[i] == static_cast<std::int32_t>(i));
    net = {};
    net.planted = {{1, 3, kNan}};
    CHECK(says(search(net, 200), "at position 3 in layer 0"));
    CHECK(net.positions.size() == 64);
}

TEST(nan_search_that_cannot_be_done_leaves_the_plain_error) {
    const std::string plain = "The output at position 199 holds a NaN.";
    Net net;
    net.planted = {{1, 150, kNan}};
    CHECK(search(net, 200, 2) == plain);  // room for 128 positions
    net.planted = {{1, 100, kNan}};
    CHECK(says(search(net, 200, 2), "at position 100 in layer 0"));
    net.fail_at_layer = 0;
    CHECK(search(net, 200) == plain);
    net.fail_at_layer = -1;
    std::atomic<std::int32_t> cancel{0};
    net.cancel = &cancel;
    CHECK(search(net, 200, 8, &cancel) == plain);
    CHECK(net.n_forward > 0);
}
