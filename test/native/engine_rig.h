// An engine over the fake backend, for the engine's tests.
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "fake_backend.h"

namespace engine_test {

using namespace neox;

struct Rig {
    explicit Rig(std::int32_t n_blocks = 64, std::int32_t n_ctx = 1024, std::int32_t max_rows = 128)
        : state(std::make_shared<fake::State>()),
          engine(std::make_unique<Engine>(fake::config(), fake::make(state, n_blocks),
                                          EngineOptions{n_ctx, n_blocks, max_rows})) {}

    CallRequest request(std::vector<Token> ids, std::int64_t n_new,
                        std::shared_ptr<Sequence> sequence = nullptr) {
        CallRequest r;
        r.sequence = sequence ? sequence : engine->create_sequence();
        r.prompt.push_back({std::move(ids), {}});
        r.max_new_tokens = n_new;
        r.ring_capacity = 100000;
        return r;
    }
    std::vector<Token> finish(const std::shared_ptr<Call>& call) {
        engine->wait(*call);
        return ids(engine->drain(*call));
    }
    static std::vector<Token> ids(const Drained& drained) {
        if (drained.error) throw *drained.error;
        std::vector<Token> out;
        for (const SampledToken& t : drained.tokens) out.push_back(t.id);
        return out;
    }
    std::vector<Token> generate(std::vector<Token> ids, std::int64_t n_new,
                                std::shared_ptr<Sequence> sequence = nullptr) {
        return finish(engine->submit(request(std::move(ids), n_new, std::move(sequence))));
    }

    std::shared_ptr<fake::State> state;
    std::unique_ptr<Engine> engine;
};

inline std::vector<Token> prompt(int n, int seed) {
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back((seed * 31 + i * 7) % fake::kVocab);
    return ids;
}

}  // namespace engine_test
