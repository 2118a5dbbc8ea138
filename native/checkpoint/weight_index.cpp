#include "checkpoint/weight_index.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/printable.h"
#include "checkpoint/json.h"

namespace neox {
namespace {

constexpr std::size_t kMostTensors = 1'000'000;
constexpr std::size_t kMostFiles = 1024;
constexpr std::size_t kLongestName = 255;

// Windows takes these for devices, in any case and whatever follows a dot.
bool is_device_name(std::string_view name) {
    std::string stem(name.substr(0, name.find('.')));
    for (char& c : stem)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const char* device : {"con", "prn", "aux", "nul"})
        if (stem == device) return true;
    return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem[3] >= '0' &&
           stem[3] <= '9';
}

void check_file_name(const std::string& name, std::string_view ending) {
    const bool is_plain = !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
                          !is_device_name(name) && std::all_of(name.begin(), name.end(), [](char c) {
                              return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                                     (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
                          });
    if (!is_plain || !name.ends_with(ending))
        fail(ErrorCode::format_value, "The index names the file '", printable(name),
             "'; letters, digits, '-', '_' and '.' before ", ending, " were expected.");
}

WeightIndex parse_index(std::string_view json, std::string_view ending) {
    JsonLimits limits;
    limits.max_bytes = static_cast<std::size_t>(kWeightIndexLargest);
    limits.max_depth = 8;
    limits.max_values = kMostTensors;
    const JsonValue root = parse_json(json, "The index", limits);
    const JsonValue* map = root.find("weight_map");
    if (!map) fail(ErrorCode::format_missing, "The index has no weight_map.");
    WeightIndex index;
    std::unordered_map<std::string_view, std::size_t> known;
    for (const auto& [tensor, file] : map->as_object("weight_map")) {
        const std::string& name = file.as_string("weight_map");
        const auto [found, is_new] = known.emplace(name, index.files.size());
        if (is_new) {
            check_file_name(name, ending);
            if (index.files.size() == kMostFiles)
                fail(ErrorCode::format_limit, "The index names more than ", kMostFiles, " files.");
            index.files.push_back(name);
        }
        index.tensors.emplace_back(tensor, found->second);
    }
    return index;
}

}  // namespace

WeightIndex parse_safetensors_index(std::string_view json) { return parse_index(json, ".safetensors"); }

WeightIndex parse_torch_index(std::string_view json) { return parse_index(json, ".bin"); }

}  // namespace neox
