// Collects an importance matrix: runs a text through a model and adds up what enters its matrices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/control.h"
#include "model/backend.h"

namespace neox {

struct CollectOptions {
    std::string model;   // what load_model() takes; unused without ids
    std::string output;  // see write_imatrix()
    std::vector<std::int32_t>
        ids;              // the text, cut into chunks as llama.cpp does; what fills no chunk is left out
    std::string dataset;  // its name in the file; empty: none
    std::vector<std::string> inputs;     // importance matrices to add; without ids, all there is
    std::int32_t chunk_size = 512;       // tokens, each chunk on its own; at most the model's n_ctx_train
    std::int64_t max_chunks = 0;         // 0: all
    std::int32_t bos = -1;               // takes the place of each chunk's first token; -1: none
    std::optional<Precision> precision;  // nullopt: default_precision()
    bool process_output = false;         // output.weight too
};

struct CollectResult {
    std::uint32_t n_chunks = 0;   // run here
    std::uint64_t n_tokens = 0;   // run here
    std::uint64_t n_entries = 0;  // matrices in the file
};

// Progress counts tokens; cancelling takes effect within one layer of at most 512 rows. The sums depend on
// neither threads nor chunks run together. Throws what load_model() and read_imatrix() throw,
// ERR_NEOX_INVALID_ARGUMENT for ids that fill no chunk, ERR_NEOX_NAN where the network's values are not finite,
// ERR_NEOX_CANCELLED; then nothing is written.
CollectResult collect_imatrix(const CollectOptions& options, const JobControl& control = {});

}  // namespace neox
