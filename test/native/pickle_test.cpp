// Pickles as data: tensors are described, everything else is refused where it stands.
#include "checkpoint/pickle.h"

#include "base/file.h"
#include "check.h"

namespace {

using namespace neox;

Pickle pickle(const std::string& ops, PickleForm form = PickleForm::zip) {
    return read_pickle(as_bytes(ops), form);
}

// A state dict of one tensor of a storage of 6 floats.
std::string tensor_pickle(const std::string& offset, const std::string& size, const std::string& stride) {
    return "\x80\x02}X\x01" + std::string(3, '\0') + "tctorch._utils\n_rebuild_tensor_v2\n((X\x07" +
           std::string(3, '\0') + "storagectorch\nFloatStorage\nX\x01" + std::string(3, '\0') + "0X\x03" +
           std::string(3, '\0') + "cpuK\x06tQ" + offset + size + stride + "\x89" +
           "ccollections\nOrderedDict\n)RtRs.";
}

TEST(pickles_describe_tensors) {
    const std::string bytes = tensor_pickle("K\x01", "K\x02K\x02\x86", "K\x02K\x01\x86");
    const Pickle p = pickle(bytes);  // its texts point into the bytes
    CHECK_EQ(p.tensors.size(), 1);
    CHECK_EQ(p.tensors[0].offset, 1);
    CHECK_EQ(p.tensors[0].n_dims, 2);
    CHECK_EQ(p.tensors[0].n_elements, 4);
    CHECK_EQ(p.tensors[0].stride[0], 2);
    CHECK_EQ(p.storages.at(0).key, "0");
    CHECK_EQ(p.storages.at(0).n_elements, 6);
    CHECK_EQ(pickle("\x80\x02\x8a\x02\xff\xff.").values[0].integer, -1);
    CHECK_EQ(pickle("\x80\x02J\xfe\xff\xff\xff.").values[0].integer, -2);
}

TEST(pickles_refuse_views_beyond_their_storage) {
    const std::string one = "K\x01\x85", huge = "\x8a\x08" + std::string(7, '\0') + "\x40";  // 2^62
    CHECK_EQ(pickle(tensor_pickle(std::string("K\0", 2), "K\x06\x85", one)).tensors.size(), 1);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", "K\x06\x85", one)), format_shape);
    CHECK_EQ(pickle(tensor_pickle("K\x07", std::string("K\0\x85", 3), one)).tensors.at(0).offset, 0);
    CHECK_THROWS(pickle(tensor_pickle(huge, one, one)), format_shape);
    CHECK_THROWS(pickle(tensor_pickle("J\xff\xff\xff\xff", one, one)), format_value);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", "J\xff\xff\xff\xff\x85", one)), format_value);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", one, "J\xff\xff\xff\xff\x85")), format_value);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", huge + huge + "\x86", std::string("K\0K\0\x86", 5))),
                 format_overflow);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", "K\x05\x85", huge + "\x85")), format_overflow);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", "K\x02K\x02\x86", one)), format_shape);
    CHECK_THROWS(pickle(tensor_pickle("K\x01", "(" + std::string(18, 'N') + "t", one)), format_shape);
}

// Numbers of the memo are bounded by the bytes so far and by how many values there may be.
TEST(pickles_bound_the_memo) {
    CHECK_THROWS(pickle("\x80\x02Nq\x05."), format_limit);
    const auto put = [](std::size_t n) {
        std::string number(4, '\0');
        for (std::size_t i = 0; i < 4; ++i) number[i] = static_cast<char>(n >> (8 * i) & 0xFF);
        const std::string text = std::string("X\0\0\x10\0", 5) + std::string(std::size_t{1} << 20, 'a');
        return "\x80\x02" + text + text + "\x86r" + number + ".";
    };
    CHECK(pickle(put(kPickleMostValues - 1)).kind(2) == PickleKind::tuple);
    CHECK_THROWS(pickle(put(kPickleMostValues)), format_limit);
}

TEST(pickles_run_nothing) {
    for (const char* name :
         {"os\nsystem", "posix\nsystem", "builtins\neval", "__builtin__\nexec", "torch.hub\nload",
          "torch.jit\nload", "torch\n_utils._rebuild_tensor_v2", "collections\nOrderedDict.fromkeys",
          "torch._utils\n_rebuild_tensor", "subprocess\nPopen"})
        CHECK_THROWS(
            pickle("\x80\x02" + ("c" + std::string(name)) + "\nX\x04" + std::string(3, '\0') + "true\x85R."),
            unsupported);
    for (const char* op :
         {"i",    "o", "\x81", "\x82", "\x83", "\x84", "P", "2", "0", "1", "\x93", "\x94", "\x95", "\x8f",
          "\x8b", "T", "I",    "L",    "S",    "V",    "F", "p", "g", "d", "l",    "B",    "\x97"})
        CHECK_THROWS(pickle("\x80\x02" + std::string(op)), unsupported);
    for (const char* first : {"\x80\x03", "\x80\x04", "\x80\x05", "}"})
        CHECK_THROWS(pickle(first + std::string(".")), unsupported);
    CHECK_THROWS(pickle(std::string("\x80\0}.", 4)), unsupported);
    CHECK_THROWS(pickle("\x80\x02\x80\x02}."), format_syntax);
}

TEST(pickles_check_what_an_opcode_works_on) {
    const std::string dict_class = "ccollections\nOrderedDict\n";
    for (const std::string& ops : {std::string("})R."), std::string("K\x01)R."), dict_class + "}R.",
                                   dict_class + "]\x85R.", std::string("]K\x01K\x02s."),
                                   std::string("}K\x01"
                                               "a."),
                                   std::string("]K\x01K\x02\x86(K\x01K\x02u."), std::string("}}b."),
                                   std::string("K\x01Q."), std::string(")Q.")})
        CHECK_THROWS(pickle("\x80\x02" + ops), format_type);
    for (const char* ops :
         {".", "t.", "a.",
          "K\x01"
          "a.",
          "s.", "K\x01s.", "}(K\x01u.", "(K\x01u.", "K\x01(\x85.", "R.", "(.", "K\x01K\x02.", "(K\x01."})
        CHECK_THROWS(pickle("\x80\x02" + std::string(ops)), format_syntax);
    CHECK_THROWS(pickle("\x80\x02h\x01."), format_value);
    CHECK_THROWS(pickle("\x80\x02}r\xff\xff\xff\xff."), format_limit);
    CHECK_THROWS(pickle("\x80\x02\x8a\x09" + std::string(9, '\x7f') + "."), format_limit);
    CHECK_THROWS(pickle("\x80\x02X\xff\xff\xff\x7f."), format_limit);
    CHECK_THROWS(pickle("\x80\x02"
                        "c" +
                        std::string(1000, 'x')),
                 format_limit);
    CHECK_EQ(pickle("\x80\x02" + dict_class + ")R}b.").n_read, 2 + dict_class.size() + 5);
}

// 2^60 nodes if sharing were copying; 100,000 levels if anything were recursive.
TEST(pickles_share_and_nest_without_cost) {
    std::string bomb = "\x80\x02)";
    for (int i = 0; i < 60; ++i)
        bomb +=
            "q" + std::string(1, static_cast<char>(i)) + "h" + std::string(1, static_cast<char>(i)) + "\x86";
    CHECK(pickle(bomb + ".").values.size() < 100);
    CHECK_EQ(pickle("\x80\x02)" + std::string(100'000, '\x85') + ".").values.size(), 100'001);
    CHECK_EQ(pickle("\x80\x02]q\x01h\x01"
                    "a.")
                 .items(0)
                 .size(),
             1);  // a list that holds itself
    CHECK_THROWS(pickle("\x80\x02" + std::string(std::size_t{1} << 21, ')') + "."), format_limit);
    CHECK_THROWS(pickle("\x80\x02" + std::string(std::size_t{1} << 21, '(') + "."), format_limit);
}

}  // namespace
