#include "device_passes.h"

#include <algorithm>
#include <chrono>

namespace bench {

using namespace neox;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Passes::Passes(const Device& device, const void* weights, const Config& config, const BackendOptions& options)
    : config_(config), options_(options) {
    check(device.create_backend(weights, &options, &backend_));
    for (std::int32_t block = 0; block < options.n_kv_blocks; ++block) blocks_.push_back(block);
}

void Passes::forward(std::vector<Row>& rows, PassProfile* profile) {
    Batch batch{rows.data(), static_cast<std::int32_t>(rows.size()), sequences_.data(),
                static_cast<std::int32_t>(sequences_.size())};
    batch.profile = profile;
    if (profile) {
        ++profile->n_passes;
        profile->n_rows += rows.size();
    }
    check(backend_.forward(backend_.self, &batch, 0, config_.n_layer, nullptr));
}

void Passes::prompt(std::int32_t n_tokens, PassProfile* profile) {
    sequences_.assign(1, {blocks_.data(), options_.n_kv_blocks, nullptr});
    argmax_.resize(1);
    for (std::int32_t begin = 0; begin < n_tokens; begin += options_.max_rows) {
        const std::int32_t end = std::min(begin + options_.max_rows, n_tokens);
        std::vector<Row> rows(static_cast<std::size_t>(end - begin));
        for (std::int32_t pos = begin; pos < end; ++pos) {
            Row& row = rows[static_cast<std::size_t>(pos - begin)];
            row.pos = pos;
            row.rope_length = n_tokens;
            row.token = static_cast<std::int32_t>(std::int64_t{pos} * 7919 % config_.n_vocab);
            row.phase = RowPhase::prompt;
        }
        if (end == n_tokens) rows.back().argmax = argmax_.data();
        forward(rows, profile);
    }
}

void Passes::step(std::int32_t n_sequences, std::int32_t depth, PassProfile* profile) {
    const std::int32_t n_each = n_blocks(1, depth + 1), n_held = options_.n_kv_blocks / n_sequences;
    sequences_.clear();
    argmax_.resize(static_cast<std::size_t>(n_sequences));
    std::vector<Row> rows(static_cast<std::size_t>(n_sequences));
    for (std::int32_t i = 0; i < n_sequences; ++i) {
        sequences_.push_back({blocks_.data() + i * n_held, n_each, nullptr});
        Row& row = rows[static_cast<std::size_t>(i)];
        row.sequence = i;
        row.pos = depth;
        row.rope_length = depth + 1;
        row.token = static_cast<std::int32_t>((std::int64_t{depth} * 31 + 7919 * i) % config_.n_vocab);
        row.phase = RowPhase::step;
        row.argmax = &argmax_[static_cast<std::size_t>(i)];
    }
    forward(rows, profile);
}

Passes::Copies Passes::copy_blocks(int n_copies) {
    std::vector<std::byte> block(backend_.kv_block_bytes);
    const auto wait = [&] { check(backend_.kv_read(backend_.self, 0, block.data())); };
    const std::int32_t half = options_.n_kv_blocks / 2;
    const auto copy = [&](int i) {
        check(backend_.kv_copy(backend_.self, i % half, half + i % half, kKvBlock));
    };
    for (int i = 0; i < half; ++i) copy(i);
    wait();
    auto start = std::chrono::steady_clock::now();
    wait();
    const double waiting = seconds_since(start);
    start = std::chrono::steady_clock::now();
    for (int i = 0; i < n_copies; ++i) copy(i);
    wait();
    return {std::max(seconds_since(start) - waiting, 1e-9),
            2.0 * n_copies * static_cast<double>(backend_.kv_block_bytes)};
}

}  // namespace bench
