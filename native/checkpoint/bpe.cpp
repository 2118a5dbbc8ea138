#include "checkpoint/bpe.h"

#include <charconv>
#include <limits>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/printable.h"

namespace neox {
namespace {

constexpr const char* kWhat = "tokenizer.json";

constexpr JsonLimits kLimits{.max_bytes = kTokenizerJsonLargest, .max_values = kTokenizerJsonMostValues};

JsonValue parse(std::string_view json) {
    JsonValue value = parse_json(json, kWhat, kLimits);
    value.as_object(kWhat);
    return value;
}

std::string type_of(const JsonValue* value) {
    const JsonValue* type = value ? value->find_set("type") : nullptr;
    return type && type->is_string() ? type->as_string("type") : "";
}

bool is_set(const JsonValue& object, const char* key) {
    const JsonValue* value = object.find_set(key);
    return value && value->is_bool() && value->as_bool(key);
}

std::int32_t as_id(const JsonValue& value, std::string_view what) {
    const std::int64_t id = value.as_integer(what);
    if (id < 0 || id > std::numeric_limits<std::int32_t>::max())
        fail(ErrorCode::format_value, kWhat, ": ", what, " is ", id, ".");
    return static_cast<std::int32_t>(id);
}

std::string pre_tokenizer_name(const JsonValue& root) {
    const JsonValue* pre = root.find_set("pre_tokenizer");
    const JsonValue* steps = type_of(pre) == "Sequence" ? pre->find_set("pretokenizers") : nullptr;
    if (steps && steps->is_array())
        for (const JsonValue& step : steps->as_array("pretokenizers"))
            if (type_of(&step) == "Digits" && is_set(step, "individual_digits")) return "starcoder";
    return type_of(root.find_set("normalizer")) == "NFC" ? "olmo" : "gpt-2";
}

// False: not to be written as text.
bool read_merges(const JsonValue& merges, std::vector<std::string>& out) {
    for (const JsonValue& merge : merges.as_array("merges")) {
        if (merge.is_string()) {
            const std::string& line = merge.as_string("a merge");
            if (!line.starts_with("#version")) out.push_back(line);
            continue;
        }
        const JsonArray& pair = merge.as_array("a merge");
        if (pair.size() != 2) fail(ErrorCode::format_value, kWhat, ": a merge has ", pair.size(), " parts.");
        for (const JsonValue& part : pair)
            if (part.as_string("a part of a merge").find(' ') != std::string::npos) return false;
        out.push_back(pair[0].as_string("a merge") + " " + pair[1].as_string("a merge"));
    }
    return true;
}

BpeToken added_token(const JsonValue& entry, std::int32_t id) {
    const JsonValue* content = entry.find_set("content");
    if (!content) fail(ErrorCode::format_missing, kWhat, ": the added token ", id, " has no content.");
    return {id, content->as_string("the content of an added token"),
            is_set(entry, "special") ? PieceType::control : PieceType::user_defined};
}

void read_added(const JsonValue& list, std::vector<BpeToken>& tokens) {
    std::unordered_map<std::int32_t, std::size_t> by_id;
    for (std::size_t i = 0; i < tokens.size(); ++i) by_id.emplace(tokens[i].id, i);
    for (const JsonValue& entry : list.as_array("added_tokens")) {
        const JsonValue* id = entry.find_set("id");
        if (!id) fail(ErrorCode::format_missing, kWhat, ": an added token has no id.");
        BpeToken token = added_token(entry, as_id(*id, "the id of an added token"));
        const auto found = by_id.find(token.id);
        if (found != by_id.end()) {
            tokens[found->second] = std::move(token);
        } else {
            by_id.emplace(token.id, tokens.size());
            tokens.push_back(std::move(token));
        }
    }
}

std::string to_json(const BpeToken& token) {
    const char* special = token.type == PieceType::control ? "true" : "false";
    return text("{\"id\":", token.id, ",\"content\":", json_quote(token.text),
                ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":",
                special, "}");
}

}  // namespace

void check_tokenizer_json(std::string_view json) { parse(json); }

std::optional<BpeModel> parse_tokenizer_json(std::string_view json) {
    const JsonValue root = parse(json);
    const JsonValue* model = root.find_set("model");
    const JsonValue* vocab = model ? model->find_set("vocab") : nullptr;
    const JsonValue* merges = model ? model->find_set("merges") : nullptr;
    const std::string type = type_of(model);
    if (!vocab || !merges || (type != "BPE" && !type.empty()) ||
        type_of(root.find_set("decoder")) != "ByteLevel")
        return std::nullopt;
    BpeModel result;
    std::unordered_set<std::int32_t> ids;
    for (const auto& [token, id] : vocab->as_object("the vocabulary")) {
        result.tokens.push_back({as_id(id, "the id of a token"), token, PieceType::normal});
        // GGUF lists tokens by id, so that one of two would be lost.
        if (!ids.insert(result.tokens.back().id).second) return std::nullopt;
    }
    if (const JsonValue* added = root.find_set("added_tokens")) read_added(*added, result.tokens);
    if (!read_merges(*merges, result.merges)) return std::nullopt;
    result.pre = pre_tokenizer_name(root);
    return result;
}

JsonValue parse_tokenizer_config(std::string_view json) {
    return json.empty() ? JsonValue() : parse_json(json, "tokenizer_config.json", kLimits);
}

void add_config_tokens(BpeModel& model, const JsonValue& tokenizer_config) {
    const JsonValue* decoder = tokenizer_config.find_set("added_tokens_decoder");
    if (!decoder) return;
    std::unordered_set<std::int32_t> ids;
    std::unordered_set<std::string> texts;
    for (const BpeToken& token : model.tokens) {
        ids.insert(token.id);
        texts.insert(token.text);
    }
    for (const auto& [key, entry] : decoder->as_object("added_tokens_decoder")) {
        std::int32_t id = -1;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (error != std::errc() || end != key.data() + key.size() || id < 0)
            fail(ErrorCode::format_value, "tokenizer_config.json: added_tokens_decoder has the key '",
                 printable(key), "', which is no id.");
        BpeToken token = added_token(entry, id);
        if (!ids.contains(id) && texts.insert(token.text).second) model.tokens.push_back(std::move(token));
    }
}

std::string write_tokenizer_json(const BpeModel& model) {
    const char* byte_level =
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}";
    std::string added, vocab, merges;
    for (const BpeToken& token : model.tokens) {
        if (token.type != PieceType::normal) added += (added.empty() ? "" : ",") + to_json(token);
        vocab += text(vocab.empty() ? "" : ",", json_quote(token.text), ":", token.id);
    }
    for (const std::string& merge : model.merges) merges += (merges.empty() ? "" : ",") + json_quote(merge);
    const std::string digits =
        text("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},",
             byte_level, "]}");
    return text("{\"version\":\"1.0\",\"added_tokens\":[", added,
                "],\"normalizer\":", model.pre == "olmo" ? "{\"type\":\"NFC\"}" : "null",
                ",\"pre_tokenizer\":", model.pre == "starcoder" ? digits : byte_level,
                ",\"post_processor\":null,\"decoder\":", byte_level,
                ",\"model\":{\"type\":\"BPE\",\"vocab\":{", vocab, "},\"merges\":[", merges, "]}}");
}

}  // namespace neox
