// Any JSON text. What is read and written again is read as the same.
#include "checkpoint/json.h"
#include "fuzz.h"

namespace {

using namespace neox;

void visit(const JsonValue& value) {
    fuzz::accepts([&] { value.as_bool("value"); });
    fuzz::accepts([&] { value.as_number("value"); });
    fuzz::accepts([&] { value.as_integer("value"); });
    fuzz::accepts([&] { value.as_string("value"); });
    if (value.is_array())
        for (const JsonValue& element : value.as_array("value")) visit(element);
    if (value.is_object())
        for (const JsonMember& member : value.as_object("value")) {
            fuzz::require(value.find(member.key) == &member.value, "keys are unique");
            visit(member.value);
        }
}

void parse(fuzz::Bytes bytes) {
    const JsonValue value = parse_json(fuzz::as_text(bytes), "text");
    if (bytes.size() <= 4096) visit(value);  // looking up every key is quadratic
    const std::string written = value.to_text();
    fuzz::require(parse_json(written, "written").to_text() == written, "written JSON reads back as the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}
