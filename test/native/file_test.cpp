// base/file: positioned reads, outputs that appear whole or not at all.
#include "base/file.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/utf8.h"
#include "check.h"
#include "scratch.h"

namespace {

using namespace neox;

TEST(file_reads_at_an_offset) {
    const scratch::Folder folder;
    scratch::write(folder / "a", "0123456789");
    const File file(folder / "a");
    CHECK_EQ(file.size(), 10);
    std::string part(4, ' ');
    file.read_at(3, {reinterpret_cast<std::byte*>(part.data()), part.size()});
    CHECK_EQ(part, "3456");
    file.read_at(10, {});
    CHECK_THROWS(file.read_at(7, {reinterpret_cast<std::byte*>(part.data()), part.size()}), format_truncated);
    CHECK_THROWS(file.read_at(100, {reinterpret_cast<std::byte*>(part.data()), 1}), format_truncated);
}

TEST(file_refuses_what_is_no_file) {
    const scratch::Folder folder;
    CHECK_THROWS(File(folder / "absent"), file_not_found);
    CHECK_THROWS(File(folder.path()), io);
    CHECK_THROWS(File(std::string("a\0b", 3)), io);
    CHECK(is_directory(folder.path()));
    CHECK(!is_directory(folder / "absent"));
    CHECK(!is_regular_file(folder.path()));
}

TEST(file_identity_changes_with_the_file) {
    const scratch::Folder folder;
    scratch::write(folder / "a", "one");
    const FileIdentity before = File(folder / "a").identity();
    CHECK(File(folder / "a").identity() == before);
    scratch::write(folder / "a", "three");
    CHECK(File(folder / "a").identity() != before);
}

TEST(file_path_is_utf8) {
    const scratch::Folder folder;
    const std::string path = folder.path() + "/\xE7\x8C\xAB.gguf";
    scratch::write(path, "cat");
    CHECK_EQ(read_text_file(path, 10), "cat");
    CHECK_THROWS(read_text_file(path, 2), format_limit);
}

// A process that died under the same id has left temporary files behind.
TEST(output_passes_over_names_that_are_taken) {
    const scratch::Folder folder;
    const std::string path = folder / "a";
    std::string name;
    {
        OutputFile first(path);
        for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
            name = entry.path().string();
    }
    const std::size_t dash = name.find_last_of('-');
    const int number = std::stoi(name.substr(dash + 1));
    for (int i = 1; i <= 3; ++i)
        std::ofstream(name.substr(0, dash + 1) + std::to_string(number + i) + ".tmp") << "left behind";
    CHECK_EQ(folder.n_entries(), 3);
    OutputFile out(path);
    out.append(as_bytes("new"));
    out.commit();
    CHECK_EQ(read_text_file(path, 100), "new");
    CHECK_EQ(folder.n_entries(), 4);
}

TEST(output_without_commit_leaves_nothing) {
    const scratch::Folder folder;
    scratch::write(folder / "a", "old");
    {
        OutputFile out(folder / "a");
        out.append(as_bytes("new and longer"));
    }
    CHECK_EQ(read_text_file(folder / "a", 100), "old");
    CHECK_EQ(folder.n_entries(), 1);
    OutputFile out(folder / "a");
    out.append(as_bytes("new"));
    out.write_at(1, as_bytes("E"));
    out.commit();
    CHECK_EQ(read_text_file(folder / "a", 100), "nEw");
    CHECK_EQ(folder.n_entries(), 1);
}

TEST(output_refuses_a_folder_or_none) {
    const scratch::Folder folder;
    CHECK_THROWS(OutputFile(folder.path()), io);
    CHECK_THROWS(OutputFile(folder / "absent/a"), file_not_found);
    CHECK_THROWS(OutputFile(""), invalid_argument);
}

TEST(base_name_is_the_last_part) {
    CHECK_EQ(base_name("a/b/c"), "c");
    CHECK_EQ(base_name("a/b/"), "b");
    CHECK_EQ(base_name("c"), "c");
    CHECK_EQ(join_path("a/", "b"), "a/b");
    CHECK_EQ(join_path("a", "b"), "a/b");
}

TEST(utf8_is_checked_strictly) {
    CHECK(is_valid_utf8("a\xC3\xA9\xE7\x8C\xAB\xF0\x9F\x90\xB1"));
    for (const char* bad :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE7\x8C", "\xC3", "\xE7\x8C\x41"})
        CHECK(!is_valid_utf8(bad));
}

}  // namespace
