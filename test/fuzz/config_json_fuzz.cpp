// config.json, up to the tensors that a model of its shape must have.
#include "checkpoint/json.h"
#include "fuzz.h"
#include "model/config.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    const ParsedConfig parsed = config_from_hf(parse_json(fuzz::as_text(bytes), "config.json"));
    const Config& config = parsed.config;
    fuzz::require(config.n_head > 0 && config.n_embd % config.n_head == 0, "heads divide the width");
    fuzz::require(config.n_rot > 0 && config.n_rot % 2 == 0 && config.n_rot <= config.head_dim(),
                  "rotary dimensions fit a head");
    for (const std::int32_t id : {config.bos, config.eos, config.pad, config.unk})
        fuzz::require(id >= -1 && id < config.n_vocab, "special ids are in the vocabulary");
    for (const ExpectedTensor& tensor : expected_tensors(config)) {
        const std::uint64_t dims[] = {tensor.n_cols, tensor.n_rows};
        fuzz::require(fuzz::is_exact_product(dims, 8, tensor.n_cols * tensor.n_rows * 8),
                      "the size of an expected tensor does not wrap");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
