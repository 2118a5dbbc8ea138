// A tokenizer in llama.cpp's keys, written and made anew.
#include "model/foreign_tokenizer.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "check.h"
#include "checkpoint/bpe.h"
#include "checkpoint/spiece.h"
#include "jobs/tokenizer_metadata.h"

namespace {

using namespace neox;

constexpr std::int32_t kRows = 300;

SpieceModel unigram() {
    SpieceModel model;
    model.pieces = {{"[PAD]", 0.0f, PieceType::control},     {"[UNK]", 0.0f, PieceType::unknown},
                    {"<s>", 0.0f, PieceType::control},       {"</s>", 0.0f, PieceType::control},
                    {"<NL>", 0.0f, PieceType::user_defined}, {"\xE3\x81\x82", -1.5f, PieceType::normal},
                    {"x", -2.5f, PieceType::unused}};
    for (int b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(b));
        model.pieces.push_back({name, 0.0f, PieceType::byte});
    }
    model.byte_fallback = true;
    model.unk_id = 1, model.bos_id = 2, model.eos_id = 3, model.pad_id = 0;
    model.normalizer.add_dummy_prefix = false;
    model.normalizer.remove_extra_whitespaces = false;
    return model;
}

ParsedConfig config() {
    ParsedConfig parsed;
    parsed.config.n_vocab = kRows;
    return parsed;
}

GgufFile written(const ModelText& texts) {
    GgufFile file;
    set_tokenizer_keys(file, texts, config());
    return file;
}

GgufFile t5() {
    ModelText texts;
    texts.spiece = write_spiece(unigram());
    return written(texts);
}

// A vocabulary of two letters under ids 0 to 2, and a special token.
std::string bpe_json() {
    BpeModel model;
    model.tokens = {{0, "a", PieceType::normal},
                    {1, "b", PieceType::normal},
                    {2, "ab", PieceType::normal},
                    {3, "<|x|>", PieceType::control},
                    {4, "  ", PieceType::user_defined}};
    model.merges = {"a b"};
    model.pre = "olmo";
    return write_tokenizer_json(model);
}

GgufFile gpt2() {
    ModelText texts;
    texts.tokenizer_json = bpe_json();
    texts.tokenizer_config = R"({"add_eos_token":true,"add_prefix_space":false})";
    return written(texts);
}

ModelText rebuilt(const GgufFile& file) {
    ModelText texts;
    rebuild_tokenizer(file, texts);
    return texts;
}

std::string note_without(GgufFile file, const std::string& key) {
    std::erase_if(file.metadata, [&](const auto& entry) { return entry.first == key; });
    const ModelText texts = rebuilt(file);
    CHECK(!texts.has_tokenizer());
    return texts.tokenizer_note;
}

std::string note_with(GgufFile file, const std::string& key, GgufValue value) {
    file.set(key, std::move(value));
    const ModelText texts = rebuilt(file);
    CHECK(!texts.has_tokenizer());
    return texts.tokenizer_note;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(tokenizer_keys_of_a_unigram_model_have_every_byte_and_every_id) {
    const GgufFile file = t5();
    CHECK_EQ(file.get_string("tokenizer.ggml.model"), std::string("t5"));
    const auto types = *file.find("tokenizer.ggml.token_type")->as_i32_array();
    CHECK_EQ(types.size(), kRows);
    CHECK_EQ(std::count(types.begin(), types.end(), 6), 256);
    CHECK_EQ(types.back(), 5);
    CHECK_EQ(file.get_u32("tokenizer.ggml.unknown_token_id"), 1u);
    CHECK_EQ(file.get_u32("tokenizer.ggml.bos_token_id"), 2u);
    CHECK_EQ(file.get_u32("tokenizer.ggml.eos_token_id"), 3u);
    CHECK_EQ(file.get_u32("tokenizer.ggml.padding_token_id"), 0u);
    for (const char* flag :
         {"add_bos_token", "add_eos_token", "add_space_prefix", "remove_extra_whitespaces"})
        CHECK(!file.get_bool(std::string("tokenizer.ggml.") + flag));
}

TEST(tokenizer_keys_of_a_unigram_model_become_that_model) {
    const ModelText texts = rebuilt(t5());
    const SpieceModel model = parse_spiece(texts.spiece), original = unigram();
    CHECK_EQ(model.pieces.size(), original.pieces.size());
    for (std::size_t id = 0; id < original.pieces.size(); ++id) {
        CHECK_EQ(model.pieces[id].text, original.pieces[id].text);
        CHECK_EQ(model.pieces[id].score, original.pieces[id].score);
        CHECK(model.pieces[id].type == original.pieces[id].type);
    }
    CHECK(model.byte_fallback);
    CHECK(!model.normalizer.add_dummy_prefix && !model.normalizer.remove_extra_whitespaces);
    CHECK_EQ(model.unk_id, 1);
    CHECK_EQ(model.bos_id, 2);
    CHECK(has(texts.tokenizer_config, R"("bos_token":"<s>")"));
    CHECK(has(texts.tokenizer_config, R"("extra_ids":0)"));
}

TEST(tokenizer_keys_of_byte_level_bpe_become_that_file) {
    const GgufFile file = gpt2();
    CHECK_EQ(file.get_string("tokenizer.ggml.model"), std::string("gpt2"));
    CHECK_EQ(file.get_string("tokenizer.ggml.pre"), std::string("olmo"));
    const auto types = *file.find("tokenizer.ggml.token_type")->as_i32_array();
    CHECK_EQ(types.size(), kRows);
    CHECK_EQ(types[2], 1);
    CHECK_EQ(types[3], 3);
    CHECK_EQ(types[4], 4);
    CHECK_EQ(types[5], 5);
    CHECK(file.get_bool("tokenizer.ggml.add_eos_token"));
    CHECK(!file.get_bool("tokenizer.ggml.add_bos_token"));
    const ModelText texts = rebuilt(file);
    CHECK_EQ(texts.tokenizer_json, bpe_json());
    CHECK(has(texts.tokenizer_config, R"("add_eos_token":true)"));
}

TEST(tokenizer_keys_that_cannot_be_used_leave_a_note) {
    GgufFile llama;
    llama.set("tokenizer.ggml.model", GgufValue::string("llama"));
    CHECK(has(rebuilt(llama).tokenizer_note, "'llama', which is not supported"));
    CHECK(rebuilt(GgufFile{}).tokenizer_note.empty());
    GgufFile none;
    none.set("tokenizer.ggml.model", GgufValue::string("none"));
    CHECK(rebuilt(none).tokenizer_note.empty() && !rebuilt(none).has_tokenizer());

    CHECK(has(note_without(t5(), "tokenizer.ggml.tokens"), "tokenizer.ggml.tokens is missing"));
    CHECK(has(note_without(t5(), "tokenizer.ggml.scores"), "tokenizer.ggml.scores"));
    CHECK(has(note_without(gpt2(), "tokenizer.ggml.merges"), "tokenizer.ggml.merges is missing"));
    CHECK(has(note_with(gpt2(), "tokenizer.ggml.pre", GgufValue::string("qwen2")), "'qwen2'"));
    CHECK(has(
        note_with(gpt2(), "tokenizer.ggml.token_type", GgufValue::i32_array(std::vector<std::int32_t>{1})),
        "token_type"));
    CHECK(has(note_with(gpt2(), "tokenizer.ggml.tokens", GgufValue::strings({"\xFF"})), "token_type"));
    std::vector<std::int32_t> types(kRows, 7);
    CHECK(has(note_with(t5(), "tokenizer.ggml.token_type", GgufValue::i32_array(types)), "is 7"));
    types.assign(kRows, 1);
    CHECK(has(note_with(t5(), "tokenizer.ggml.token_type", GgufValue::i32_array(types)), "unknown"));
    CHECK(has(note_with(t5(), "tokenizer.ggml.model", GgufValue::u32(3)), "tokenizer.ggml.model"));
}

TEST(tokenizer_keys_need_a_row_for_each_token) {
    ModelText texts;
    texts.spiece = write_spiece(unigram());
    ParsedConfig small = config();
    small.config.n_vocab = 200;
    GgufFile file;
    CHECK_THROWS(set_tokenizer_keys(file, texts, small), format_shape);
    texts = ModelText{};
    texts.tokenizer_json = bpe_json();
    small.config.n_vocab = 4;
    CHECK_THROWS(set_tokenizer_keys(file, texts, small), format_shape);
    // Different ids of one text cannot both be keys of an object.
    std::string json = write_tokenizer_json({{{0, "a", PieceType::normal}}, {}, "gpt-2"});
    const std::string added = R"("added_tokens":[)";
    json.insert(json.find(added) + added.size(),
                R"({"id":1,"content":"<x>","special":true},{"id":2,"content":"<x>","special":true})");
    texts.tokenizer_json = json;
    CHECK_THROWS(set_tokenizer_keys(file, texts, config()), format_duplicate);
}

TEST(a_chat_template_is_written_as_given_or_as_the_tokenizer_has_it) {
    ModelText texts;
    texts.tokenizer_json = bpe_json();
    texts.tokenizer_config = R"({"chat_template":"{{ x }}"})";
    GgufFile file;
    set_chat_template(file, texts, "");
    CHECK_EQ(file.get_string("tokenizer.chat_template"), std::string("{{ x }}"));
    set_chat_template(file, texts, "given");
    CHECK_EQ(file.get_string("tokenizer.chat_template"), std::string("given"));
    GgufFile without;
    set_chat_template(without, ModelText{}, "");
    CHECK(without.find("tokenizer.chat_template") == nullptr);
}
