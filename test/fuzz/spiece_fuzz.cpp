// spiece.model: reading, validating, and writing what was read.
#include "checkpoint/spiece.h"
#include "fuzz.h"

namespace {

using namespace neox;

void parse(fuzz::Bytes bytes) {
    const SpieceModel model = parse_spiece(bytes);
    const std::vector<std::byte> written = write_spiece(model);
    fuzz::require(write_spiece(parse_spiece(written)) == written, "a written message reads back as the same");
    validate_spiece(model);
    validate_spiece(parse_spiece(append_pieces(bytes, {})));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
