// model.safetensors.index.json and pytorch_model.bin.index.json. No accepted name leads out of the folder.
#include "checkpoint/weight_index.h"
#include "fuzz.h"

namespace {

using namespace neox;

void check(const WeightIndex& index) {
    for (const std::string& name : index.files) {
        fuzz::require(!name.empty() && name.front() != '.', "an accepted name is a plain one");
        fuzz::require(name.find_first_of(std::string("/\\:\0", 4)) == std::string::npos,
                      "an accepted name has no separator");
    }
    for (const auto& [tensor, file] : index.tensors)
        fuzz::require(file < index.files.size(), "every tensor has a file");
}

void parse(fuzz::Bytes bytes) {
    fuzz::accepts([&] { check(parse_torch_index(fuzz::as_text(bytes))); });
    check(parse_safetensors_index(fuzz::as_text(bytes)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
