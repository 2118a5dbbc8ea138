// tokenizer.json, as far as GGUF has keys for it.
#include "checkpoint/bpe.h"
#include "fuzz.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    const std::string_view json = fuzz::as_text(bytes);
    fuzz::accepts([&] { check_tokenizer_json(json); });
    // Tokens that GGUF can hold and a file cannot, as two of one text, make a file that is refused.
    if (const auto model = parse_tokenizer_json(json)) check_tokenizer_json(write_tokenizer_json(*model));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
