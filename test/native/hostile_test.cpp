// The files of test/fixtures/hostile, each with the exact error that its table names; and the few that are too large to
// keep, made here.
#include <filesystem>
#include <string>
#include <vector>

#include "check.h"
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/spiece.h"
#include "engine/session_file.h"
#include "fixtures.h"
#include "gguf/gguf.h"
#include "model/imatrix.h"
#include "model/source.h"
#include "scratch.h"

namespace {

using namespace neox;

std::string path_of(const std::string& name) { return golden::fixture("hostile/" + name); }

std::vector<std::byte> bytes_of(const std::string& name) {
    return read_file(path_of(name), std::uint64_t{1} << 24);
}

// Opens the source and reads every tensor of it.
void load(const std::string& path) {
    const auto source = open_source(path);
    for (std::size_t i = 0; i < source->tensors().size(); ++i) {
        const Tensor& tensor = source->tensors()[i];
        std::vector<std::byte> data(
            static_cast<std::size_t>(row_bytes(tensor.dtype, tensor.n_cols()) * tensor.n_rows()));
        source->read_rows(i, 0, tensor.n_rows(), data.data());
    }
}

struct Part {
    std::string from;  // under the hostile folder
    std::string to;
};

void load_folder(const std::vector<Part>& parts) {
    const scratch::Folder folder;
    std::filesystem::create_directory(folder / "folder.safetensors");
    for (const Part& part : parts) scratch::write(folder / part.to, bytes_of(part.from));
    load(folder.path());
}

void open_case(const std::string& kind, const std::string& file) {
    const std::string path = kind + "/" + file;
    if (kind == "gguf") {
        load(path_of(path));
    } else if (kind == "gguf-tokenizer") {
        load(path_of(path));
        if (!open_source(path_of(path))->text().has_tokenizer()) fail(ErrorCode::no_tokenizer, "none");
    } else if (kind == "spiece") {
        validate_spiece(parse_spiece(bytes_of(path)));
    } else if (kind == "imatrix") {
        parse_imatrix(bytes_of(path));
    } else if (kind == "session") {
        parse_session(MemoryBytes(bytes_of(path)));
    } else if (kind == "torch") {
        load_folder({{"config.json", "config.json"}, {path, "pytorch_model.bin"}});
    } else if (kind == "safetensors") {
        load_folder({{"config.json", "config.json"}, {path, "model.safetensors"}});
    } else if (kind == "config") {
        load_folder({{path, "config.json"}, {"safetensors/control.safetensors", "model.safetensors"}});
    } else if (kind == "index") {
        const std::string shards[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
        load_folder({{"config.json", "config.json"},
                     {path, "model.safetensors.index.json"},
                     {shards[0], shards[0]},
                     {shards[1], shards[1]}});
    } else {
        throw std::runtime_error("no kind " + kind);
    }
}

TEST(hostile_files_are_refused_with_their_codes) {
    const JsonValue table = parse_json(read_text_file(path_of("expected.json"), 1 << 20), "expected.json");
    std::size_t n_hostile = 0;
    std::string wrong;
    for (const JsonValue& row : table.as_array("table")) {
        const std::string& kind = row.find("kind")->as_string("kind");
        const std::string& file = row.find("file")->as_string("file");
        const std::string& expected = row.find("code")->as_string("code");
        if (kind == "tokenizer_json") continue;  // read by lib/
        const std::string found = neox_check::code_thrown_by([&] { open_case(kind, file); });
        n_hostile += expected != "OK";
        if (found != (expected == "OK" ? "no error" : expected))
            wrong += text("\n", kind, "/", file, ": expected ", expected, ", found ", found);
    }
    CHECK_EQ(wrong, std::string());
    CHECK(n_hostile >= 80);
}

std::string gguf_head(std::uint64_t n_tensors, std::uint64_t n_metadata) {
    std::string head = "GGUF";
    for (const std::uint64_t word :
         {std::uint64_t{3} | n_tensors << 32, n_tensors >> 32 | n_metadata << 32, n_metadata >> 32})
        head.append(reinterpret_cast<const char*>(&word), 8);
    head.resize(24);
    return head;
}

TEST(hostile_gguf_of_many_keys_is_refused_at_once) {
    std::string file = gguf_head(0, 200'000);
    for (int i = 0; i < 200'000; ++i) {
        const std::string key = "key" + std::to_string(i);
        const std::uint64_t length = key.size();
        file.append(reinterpret_cast<const char*>(&length), 8).append(key).append("\0\0\0\0\1", 5);
    }
    CHECK_THROWS(parse_gguf(as_bytes(file), file.size()), format_limit);
}

TEST(hostile_gguf_with_a_huge_string_is_refused) {
    // 100 MiB of chat template, all of it there.
    const std::uint64_t length = std::uint64_t{100} << 20;
    std::string file = gguf_head(0, 1);
    const std::string key = "tokenizer.chat_template";
    const std::uint64_t key_length = key.size();
    file.append(reinterpret_cast<const char*>(&key_length), 8).append(key).append("\10\0\0\0", 4);
    file.append(reinterpret_cast<const char*>(&length), 8);
    CHECK_THROWS(parse_gguf(as_bytes(file), file.size() + length), format_limit);
}

TEST(hostile_safetensors_of_many_tensors_on_the_same_bytes_is_refused) {
    std::string header = "{";
    for (int i = 0; i < 100'000; ++i)
        header += text(i > 0 ? "," : "", "\"t", i, R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})");
    header += "}";
    CHECK_THROWS(parse_safetensors(header, 8 + header.size() + 8), format_offset);
}

TEST(hostile_config_of_100_mb_is_refused_unread) {
    const scratch::Folder folder;
    scratch::write(folder / "config.json", std::string("{}"));
    std::filesystem::resize_file(folder / "config.json", 100'000'000);
    CHECK_THROWS(open_source(folder.path()), format_limit);
}

TEST(hostile_tokenizer_of_a_million_pieces_is_refused) {
    SpieceModel model;
    model.pieces.assign(1'000'001, {"a", -1.0f});
    CHECK_THROWS(validate_spiece(model), format_limit);
    const std::vector<std::byte> bytes = write_spiece(model);
    CHECK_THROWS(parse_spiece(bytes), format_limit);
}

}  // namespace
