#include "checkpoint/bpe.h"

#include <string>

#include "check.h"

namespace {

using namespace neox;

constexpr const char* kFile =
    R"({"added_tokens":[{"id":3,"content":"<|x|>","special":true},{"id":0,"content":"a","special":false}],
        "normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"},
        "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["#version: 0.2","a b"]}})";

const BpeToken* find(const BpeModel& model, std::int32_t id) {
    for (const BpeToken& token : model.tokens)
        if (token.id == id) return &token;
    return nullptr;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST(bpe_takes_a_tokenizer_json_apart) {
    const auto model = parse_tokenizer_json(kFile);
    CHECK(model.has_value());
    CHECK_EQ(model->tokens.size(), 4u);
    CHECK_EQ(find(*model, 3)->text, std::string("<|x|>"));
    CHECK(find(*model, 3)->type == PieceType::control);
    CHECK(find(*model, 0)->type == PieceType::user_defined);
    CHECK(find(*model, 2)->type == PieceType::normal);
    CHECK_EQ(model->merges.size(), 1u);
    CHECK_EQ(model->merges[0], std::string("a b"));
    CHECK_EQ(model->pre, std::string("olmo"));
    const std::string pairs = with(kFile, "\"a b\"", "[\"a\",\"b\"]");
    CHECK_EQ(parse_tokenizer_json(pairs)->merges[0], std::string("a b"));
    CHECK_EQ(parse_tokenizer_json(with(kFile, "{\"type\":\"NFC\"}", "null"))->pre, std::string("gpt-2"));
    const std::string digits = with(kFile, R"("pre_tokenizer":{"type":"ByteLevel"})",
                                    R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[
                                       {"type":"Digits","individual_digits":true},{"type":"ByteLevel"}]})");
    CHECK_EQ(parse_tokenizer_json(digits)->pre, std::string("starcoder"));
}

TEST(bpe_of_two_tokens_with_one_id_is_nothing_for_gguf) {
    CHECK(!parse_tokenizer_json(with(kFile, "\"ab\":2", "\"ab\":1")));
    // An added token is the vocabulary's own by another name for its kind.
    CHECK(parse_tokenizer_json(with(kFile, "\"id\":3", "\"id\":2")).has_value());
}

TEST(bpe_writes_what_it_reads) {
    BpeModel model = *parse_tokenizer_json(kFile);
    for (const char* pre : {"gpt-2", "olmo", "starcoder"}) {
        model.pre = pre;
        const BpeModel again = *parse_tokenizer_json(write_tokenizer_json(model));
        CHECK_EQ(again.pre, std::string(pre));
        CHECK(again.merges == model.merges);
        CHECK_EQ(again.tokens.size(), model.tokens.size());
        for (const BpeToken& token : model.tokens) {
            CHECK_EQ(find(again, token.id)->text, token.text);
            CHECK(find(again, token.id)->type == token.type);
        }
    }
}

TEST(bpe_adds_the_tokens_of_the_config) {
    BpeModel model = *parse_tokenizer_json(kFile);
    add_config_tokens(
        model, parse_tokenizer_config(
                   R"({"added_tokens_decoder":{"3":{"content":"<|x|>"},"7":{"content":"<y>","special":true},
                                "8":{"content":"ab"}}})"));
    CHECK_EQ(model.tokens.size(), 5u);
    CHECK_EQ(find(model, 7)->text, std::string("<y>"));
    CHECK(find(model, 7)->type == PieceType::control);
    CHECK_THROWS(
        add_config_tokens(model, parse_tokenizer_config(R"({"added_tokens_decoder":{"x":{"content":"c"}}})")),
        format_value);
    CHECK_THROWS(add_config_tokens(model, parse_tokenizer_config(R"({"added_tokens_decoder":{"9":{}}})")),
                 format_missing);
}

TEST(bpe_leaves_other_kinds_alone) {
    CHECK(!parse_tokenizer_json("{}"));
    CHECK(!parse_tokenizer_json(with(kFile, "\"BPE\"", "\"Unigram\"")));
    CHECK(!parse_tokenizer_json(with(kFile, R"("decoder":{"type":"ByteLevel"})", R"("decoder":null)")));
    CHECK(!parse_tokenizer_json(with(kFile, "\"a b\"", "[\"a \",\"b\"]")));
}

TEST(bpe_refuses_what_is_no_tokenizer_json) {
    CHECK_THROWS(check_tokenizer_json("[]"), format_type);
    CHECK_THROWS(check_tokenizer_json("{"), format_syntax);
    CHECK_THROWS(check_tokenizer_json(std::string(kTokenizerJsonLargest + 1, ' ')), format_limit);
    CHECK_THROWS(check_tokenizer_json(std::string(100, '[')), format_limit);
    CHECK_THROWS(parse_tokenizer_json(with(kFile, "\"b\":1", "\"b\":-1")), format_value);
    CHECK_THROWS(parse_tokenizer_json(with(kFile, "\"b\":1", "\"b\":\"1\"")), format_type);
    CHECK_THROWS(parse_tokenizer_json(with(kFile, "\"a b\"", "[\"a\"]")), format_value);
    CHECK_THROWS(parse_tokenizer_json(with(kFile, "\"id\":3,", "")), format_missing);
    CHECK_THROWS(parse_tokenizer_json(with(kFile, "\"content\":\"a\",", "")), format_missing);
    const std::string whole = kFile;
    for (std::size_t n = 0; n < whole.size(); ++n)
        CHECK_THROWS(check_tokenizer_json(std::string_view(whole).substr(0, n)), format_syntax);
}
