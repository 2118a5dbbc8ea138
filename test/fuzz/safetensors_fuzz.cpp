// A safetensors file: the whole of it, and its bytes as the text of a header.
#include <algorithm>

#include "checkpoint/safetensors.h"
#include "fuzz.h"

namespace {

using namespace neox;

void check(std::string_view header, std::uint64_t file_size) {
    std::uint64_t end = 8 + header.size();
    for (const SafetensorsTensor& tensor : parse_safetensors(header, file_size)) {
        fuzz::require(tensor.offset == end, "accepted tensors lie side by side");
        fuzz::require(tensor.n_bytes <= file_size - end, "an accepted tensor lies inside the file");
        end += tensor.n_bytes;
        fuzz::require_exact_size(tensor);
    }
    fuzz::require(end == file_size, "accepted tensors fill the file");
}

void parse(fuzz::Bytes bytes) {
    fuzz::accepts([&] { check(fuzz::as_text(bytes), 8 + bytes.size()); });
    fuzz::accepts([&] { check(fuzz::as_text(bytes), std::uint64_t{1} << 40); });
    const std::uint64_t length =
        safetensors_header_length(bytes.first(std::min<std::size_t>(8, bytes.size())), bytes.size());
    check(fuzz::as_text(bytes.subspan(8, static_cast<std::size_t>(length))), bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
