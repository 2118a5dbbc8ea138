#include "checkpoint/pickle.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "checkpoint/pickle_call.h"

namespace neox {
namespace {

constexpr std::uint32_t kNoLink = 0;  // link 0 is a sentinel
constexpr std::size_t kLongestText = std::size_t{1} << 20;
constexpr std::size_t kLongestGlobal = 256;
constexpr unsigned kProtocol = 2;

class Interpreter {
public:
    Interpreter(std::span<const std::byte> bytes, PickleForm form) : calls_(pickle_, form) {
        pickle_.bytes = bytes;
        pickle_.links.push_back({0, kNoLink});
    }

    Pickle run() {
        try {
            while (step()) {
            }
        } catch (const Error& e) {
            throw Error(e.code(), text("The pickle at byte ", op_at_, ": ", e.what()));
        }
        pickle_.n_read = at_;
        return std::move(pickle_);
    }

private:
    // Input.
    std::span<const std::byte> take(std::size_t n) {
        if (n > pickle_.bytes.size() - at_)
            fail(ErrorCode::format_truncated, "It ends at byte ", pickle_.bytes.size(), ", but ", n,
                 " more bytes were expected.");
        at_ += n;
        return pickle_.bytes.subspan(at_ - n, n);
    }
    template <class T> T read() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::string_view line() {
        const std::size_t begin = at_;
        while (read<char>() != '\n')
            if (at_ - begin > kLongestGlobal)
                fail(ErrorCode::format_limit, "The name of a global is longer than ", kLongestGlobal,
                     " bytes.");
        return {reinterpret_cast<const char*>(pickle_.bytes.data()) + begin, at_ - begin - 1};
    }

    // Values.
    std::uint32_t add(const PickleValue& value) {
        if (pickle_.values.size() == kPickleMostValues)
            fail(ErrorCode::format_limit, "It has more than ", kPickleMostValues, " values.");
        pickle_.values.push_back(value);
        return static_cast<std::uint32_t>(pickle_.values.size() - 1);
    }
    std::uint32_t add_link(std::uint32_t value) {
        if (pickle_.links.size() == 2 * kPickleMostValues)
            fail(ErrorCode::format_limit, "Its collections have more than ", 2 * kPickleMostValues,
                 " items.");
        pickle_.links.push_back({value, kNoLink});
        return static_cast<std::uint32_t>(pickle_.links.size() - 1);
    }
    void push_new(const PickleValue& value) { push(add(value)); }
    void push_new(PickleKind kind, std::int64_t integer = 0) {
        PickleValue value;
        value.kind = kind;
        value.integer = integer;
        push_new(value);
    }
    void push_text(std::size_t n) {
        if (n > kLongestText)
            fail(ErrorCode::format_limit, "A string has ", n, " bytes; at most ", kLongestText,
                 " are accepted.");
        const auto bytes = take(n);
        if (!is_valid_utf8({reinterpret_cast<const char*>(bytes.data()), n}))
            fail(ErrorCode::format_value, "A string is not UTF-8.");
        PickleValue value;
        value.kind = PickleKind::text;
        value.first = static_cast<std::uint32_t>(at_ - n);
        value.count = static_cast<std::uint32_t>(n);
        push_new(value);
    }

    // The stack. What lies below the last mark is out of reach.
    void push(std::uint32_t value) {
        if (stack_.size() == kPickleMostValues)
            fail(ErrorCode::format_limit, "Its stack has more than ", kPickleMostValues, " values.");
        stack_.push_back(value);
    }
    void need(std::size_t n) const {
        if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < n)
            fail(ErrorCode::format_syntax, "An opcode takes more values than the stack has.");
    }
    std::uint32_t pop() {
        need(1);
        const std::uint32_t value = stack_.back();
        stack_.pop_back();
        return value;
    }
    std::uint32_t top() const {
        need(1);
        return stack_.back();
    }
    void push_mark() {
        if (marks_.size() == kPickleMostValues)
            fail(ErrorCode::format_limit, "It has more than ", kPickleMostValues, " open marks.");
        marks_.push_back(static_cast<std::uint32_t>(stack_.size()));
    }
    std::size_t pop_mark() {
        if (marks_.empty()) fail(ErrorCode::format_syntax, "An opcode wants a mark, but there is none.");
        const std::size_t begin = marks_.back();
        marks_.pop_back();
        return begin;
    }

    void push_tuple(std::size_t begin) {
        PickleValue tuple;
        tuple.kind = PickleKind::tuple;
        tuple.first = static_cast<std::uint32_t>(pickle_.links.size());
        tuple.count = static_cast<std::uint32_t>(stack_.size() - begin);
        for (std::size_t i = begin; i < stack_.size(); ++i) {
            const std::uint32_t link = add_link(stack_[i]);
            if (i + 1 < stack_.size()) pickle_.links[link].next = link + 1;
        }
        stack_.resize(begin);
        push_new(tuple);
    }
    void check_key(std::uint32_t key) const {
        switch (pickle_.kind(key)) {
            case PickleKind::none:
            case PickleKind::boolean:
            case PickleKind::integer:
            case PickleKind::real:
            case PickleKind::text: return;
            default: fail(ErrorCode::format_type, "A key of a dict is neither a string nor a number.");
        }
    }
    // Moves what is above `begin` into the collection below it.
    void append(std::size_t begin, bool is_dict) {
        const std::size_t n = stack_.size() - begin;
        if (is_dict && n % 2 != 0) fail(ErrorCode::format_syntax, "A key of a dict has no value.");
        const std::size_t base = marks_.empty() ? 0 : marks_.back();
        if (begin <= base) fail(ErrorCode::format_syntax, "An opcode takes more values than the stack has.");
        const std::uint32_t target = stack_[begin - 1];
        const bool fits = is_dict ? pickle_.is_dict(target) : pickle_.kind(target) == PickleKind::list;
        if (!fits)
            fail(ErrorCode::format_type, "Items are put into something that is no ",
                 is_dict ? "dict." : "list.");
        for (std::size_t i = begin; i < stack_.size(); ++i) {
            if (is_dict && (i - begin) % 2 == 0) check_key(stack_[i]);
            const std::uint32_t link = add_link(stack_[i]);
            PickleValue& value = pickle_.values[target];
            if (value.count == 0)
                value.first = link;
            else
                pickle_.links[static_cast<std::size_t>(value.integer)].next = link;
            value.integer = link;
            ++value.count;
        }
        stack_.resize(begin);
    }

    // A pickler numbers what it puts into the memo from 0 on, so a number is below that of the bytes so far.
    void memo_put(std::size_t i) {
        if (i >= std::min(at_, kPickleMostValues))
            fail(ErrorCode::format_limit, "A value is put into the memo at ", i, ", which skips numbers.");
        if (i >= memo_.size()) memo_.resize(i + 1, kNotInMemo);
        memo_[i] = top();
    }
    void memo_get(std::size_t i) {
        if (i >= memo_.size() || memo_[i] == kNotInMemo)
            fail(ErrorCode::format_value, "The memo has no value at ", i, ".");
        push(memo_[i]);
    }

    void read_global() {
        const std::string_view module = line(), name = line();
        const auto value = find_pickle_global(module, name);
        if (!value)
            fail(ErrorCode::unsupported, "It asks for '", printable(module), '.', printable(name),
                 "', which no checkpoint of tensors needs; nothing was run.");
        push_new(*value);
    }
    void read_long(std::size_t n) {
        if (n > 8) fail(ErrorCode::format_limit, "An integer has ", n, " bytes; at most 8 are accepted.");
        const auto bytes = take(n);
        std::uint64_t value =
            n > 0 && (static_cast<unsigned>(bytes[n - 1]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
        if (n > 0) std::memcpy(&value, bytes.data(), n);
        push_new(PickleKind::integer, static_cast<std::int64_t>(value));
    }
    void build() {
        pop();  // the attributes of an object; a state dict's are versions of its modules
        if (pickle_.kind(top()) != PickleKind::ordered_dict)
            fail(ErrorCode::format_type, "Attributes are given to something that is no OrderedDict.");
    }
    void reduce() {
        const std::uint32_t arguments = pop(), function = pop();
        push_new(calls_.call(function, arguments));
    }
    void stop() {
        pickle_.root = pop();
        if (!stack_.empty() || !marks_.empty())
            fail(ErrorCode::format_syntax, "It stops with values left on the stack.");
    }
    void protocol() {
        const unsigned version = read<std::uint8_t>();
        if (op_at_ != 0) fail(ErrorCode::format_syntax, "It names its protocol a second time.");
        if (version != kProtocol) refuse_protocol(version);
    }
    [[noreturn]] static void refuse_protocol(unsigned version) {
        fail(ErrorCode::unsupported, "It has protocol ", version, "; ", kProtocol,
             ", torch.save's own, is read.");
    }

    // One opcode; false after STOP.
    bool step() {
        op_at_ = at_;
        const auto op = read<std::uint8_t>();
        if (op_at_ == 0 && op != 0x80) refuse_protocol(0);
        switch (op) {
            case 0x80: protocol(); break;
            case '.': stop(); return false;
            case '(': push_mark(); break;
            case 'N': push_new(PickleKind::none); break;
            case 0x88: push_new(PickleKind::boolean, 1); break;
            case 0x89: push_new(PickleKind::boolean, 0); break;
            case 'J': push_new(PickleKind::integer, read<std::int32_t>()); break;
            case 'K': push_new(PickleKind::integer, read<std::uint8_t>()); break;
            case 'M': push_new(PickleKind::integer, read<std::uint16_t>()); break;
            case 0x8a: read_long(read<std::uint8_t>()); break;
            case 'G': take(8), push_new(PickleKind::real); break;
            case 'X': push_text(read<std::uint32_t>()); break;
            case 'U': push_text(read<std::uint8_t>()); break;
            case ']': push_new(PickleKind::list); break;
            case '}': push_new(PickleKind::dict); break;
            case ')': push_tuple(stack_.size()); break;
            case 't': push_tuple(pop_mark()); break;
            case 0x85: need(1), push_tuple(stack_.size() - 1); break;
            case 0x86: need(2), push_tuple(stack_.size() - 2); break;
            case 0x87: need(3), push_tuple(stack_.size() - 3); break;
            case 'a': need(2), append(stack_.size() - 1, false); break;
            case 'e': append(pop_mark(), false); break;
            case 's': need(3), append(stack_.size() - 2, true); break;
            case 'u': append(pop_mark(), true); break;
            case 'q': memo_put(read<std::uint8_t>()); break;
            case 'r': memo_put(read<std::uint32_t>()); break;
            case 'h': memo_get(read<std::uint8_t>()); break;
            case 'j': memo_get(read<std::uint32_t>()); break;
            case 'c': read_global(); break;
            case 'R': reduce(); break;
            case 'b': build(); break;
            case 'Q': push_new(calls_.storage(pop())); break;
            default:
                fail(ErrorCode::unsupported, "It has opcode ", static_cast<unsigned>(op),
                     ", which no checkpoint of tensors needs; nothing was run.");
        }
        return true;
    }

    static constexpr std::uint32_t kNotInMemo = 0xFFFFFFFF;

    Pickle pickle_;
    PickleCalls calls_;
    std::size_t at_ = 0;
    std::size_t op_at_ = 0;
    std::vector<std::uint32_t> stack_;
    std::vector<std::uint32_t> marks_;  // sizes of the stack
    std::vector<std::uint32_t> memo_;
};

}  // namespace

std::vector<std::uint32_t> Pickle::items(std::uint32_t value) const {
    const PickleValue& v = values[value];
    std::vector<std::uint32_t> out;
    out.reserve(v.count);
    std::uint32_t link = v.first;
    for (std::uint32_t i = 0; i < v.count; ++i, link = links[link].next) out.push_back(links[link].value);
    return out;
}

Pickle read_pickle(std::span<const std::byte> bytes, PickleForm form) {
    return Interpreter(bytes.first(std::min(bytes.size(), kPickleLargest)), form).run();
}

}  // namespace neox
