// spiece.model as sentencepiece itself reads it: what passes our validation must not hurt the library.
#include <string>

#include "fuzz.h"
#include "tokenizer/tokenizer.h"

namespace {

using namespace neox;

void use(const Tokenizer& tokenizer, std::string_view text) {
    for (const std::int32_t id : tokenizer.encode(text)) {
        fuzz::require(id >= 0 && id < tokenizer.size(), "ids are in the vocabulary");
        tokenizer.piece(id);
        tokenizer.type(id);
    }
    for (const std::string& piece : tokenizer.tokenize(text)) tokenizer.id(piece);
}

void parse(fuzz::Bytes bytes) {
    const Tokenizer tokenizer(bytes);
    const std::string_view text = fuzz::as_text(bytes);
    use(tokenizer, "");
    use(tokenizer,
        " a  \xE5\x90\xBE\xE8\xBC\xA9\xE3\x81\xAF\xE7\x8C\xAB \xF0\x9F\x98\x80\n\xEF\xBC\xA1<0x0A>");
    use(tokenizer, text.substr(0, 512));
    use(tokenizer, text.substr(text.size() - std::min<std::size_t>(text.size(), 256)));
    for (std::int32_t id = 0; id < std::min(tokenizer.size(), 16); ++id)
        use(tokenizer, tokenizer.piece(id) + tokenizer.piece(id));
    use(tokenizer.without_dummy_prefix(), text.substr(0, 64));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
