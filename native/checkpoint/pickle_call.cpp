#include "checkpoint/pickle_call.h"

#include <algorithm>

#include "base/checked.h"
#include "base/printable.h"

namespace neox {
namespace {

constexpr std::size_t kLongestKey = 20;  // a 64-bit number

constexpr PickleElement kElements[] = {
    {"FloatStorage", "F32", DType::F32, true, 4},      {"HalfStorage", "F16", DType::F16, true, 2},
    {"BFloat16Storage", "BF16", DType::BF16, true, 2}, {"DoubleStorage", "F64", DType::F64, true, 8},
    {"LongStorage", "I64", DType::I64, true, 8},       {"IntStorage", "I32", DType::I32, true, 4},
    {"ShortStorage", "I16", DType::I16, true, 2},      {"CharStorage", "I8", DType::I8, true, 1},
    {"ByteStorage", "U8", DType::I8, false, 1},        {"BoolStorage", "BOOL", DType::I8, false, 1},
};

struct NamedGlobal {
    std::string_view module, name;
    PickleGlobal global;
};

constexpr NamedGlobal kGlobals[] = {
    {"collections", "OrderedDict", PickleGlobal::ordered_dict},
    {"torch._utils", "_rebuild_tensor_v2", PickleGlobal::rebuild_tensor},
    {"torch._utils", "_rebuild_parameter", PickleGlobal::rebuild_parameter},
    {"torch._tensor", "_rebuild_from_type_v2", PickleGlobal::rebuild_from_type},
    {"torch", "Size", PickleGlobal::size},
    {"torch", "Tensor", PickleGlobal::tensor_class},
    {"torch.nn.parameter", "Parameter", PickleGlobal::tensor_class},
    {"torch", "float32", PickleGlobal::dtype},
    {"torch", "float16", PickleGlobal::dtype},
    {"torch", "bfloat16", PickleGlobal::dtype},
    {"torch", "float64", PickleGlobal::dtype},
    {"torch", "int64", PickleGlobal::dtype},
    {"torch", "int32", PickleGlobal::dtype},
    {"torch", "int16", PickleGlobal::dtype},
    {"torch", "int8", PickleGlobal::dtype},
    {"torch", "uint8", PickleGlobal::dtype},
    {"torch", "bool", PickleGlobal::dtype},
};

const char* kind_name(PickleKind kind) {
    static constexpr const char* kNames[] = {"None",           "a boolean", "an integer", "a float",
                                             "a string",       "a tuple",   "a list",     "a dict",
                                             "an OrderedDict", "a global",  "a storage",  "a tensor"};
    return kNames[static_cast<std::size_t>(kind)];
}

void check_arity(const PickleValue& arguments, std::uint32_t least, std::uint32_t most,
                 const char* function) {
    if (arguments.count < least || arguments.count > most)
        fail(ErrorCode::format_type, function, " has ", arguments.count, " arguments; ", least,
             least == most ? "" : text(" to ", most), " were expected.");
}

PickleValue value_of(PickleKind kind, std::uint32_t number) {
    PickleValue value;
    value.kind = kind;
    value.first = number;
    return value;
}

std::uint64_t not_negative(std::int64_t value, const char* what) {
    if (value < 0) fail(ErrorCode::format_value, what, " is ", value, ", but may not be negative.");
    return static_cast<std::uint64_t>(value);
}

// "cpu", "cuda:0": where the tensor was; here it says nothing.
void check_location(std::string_view location) {
    const std::size_t colon = std::min(location.find(':'), location.size());
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const std::string_view name = location.substr(0, colon);
    const std::string_view number = location.substr(std::min(colon + 1, location.size()));
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_letter) ||
        !std::all_of(number.begin(), number.end(), is_digit))
        fail(ErrorCode::format_value, "A storage has the location '", printable(location),
             "'; a device like cpu or cuda:0 was expected.");
}

// The elements that a view spans must be there. A tensor without elements spans none, wherever it begins.
void check_view(PickleTensor& tensor, const PickleStorage& storage) {
    const std::span<const std::uint64_t> shape(tensor.shape, tensor.n_dims);
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) {
        tensor.offset = 0;
        return;
    }
    tensor.n_elements = 1;
    std::uint64_t last = tensor.offset;
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
        tensor.n_elements = checked_mul(tensor.n_elements, shape[i], "elements of a tensor");
        const std::uint64_t reach = checked_mul(shape[i] - 1, tensor.stride[i], "stride of a tensor");
        last = checked_add(last, reach, "extent of a tensor");
    }
    if (last >= storage.n_elements)
        fail(ErrorCode::format_shape, "A tensor reaches to element ", last, " of storage '", storage.key,
             "', which has ", storage.n_elements, ".");
}

}  // namespace

std::optional<PickleValue> find_pickle_global(std::string_view module, std::string_view name) {
    PickleValue value;
    value.kind = PickleKind::global;
    for (const NamedGlobal& known : kGlobals)
        if (module == known.module && name == known.name) {
            value.global = known.global;
            return value;
        }
    if (module != "torch") return std::nullopt;
    for (const PickleElement& element : kElements)
        if (name == element.storage_class) {
            value.global = PickleGlobal::storage_class;
            value.integer = &element - kElements;
            return value;
        }
    return std::nullopt;
}

const PickleValue& PickleCalls::argument(const PickleValue& arguments, std::uint32_t i, PickleKind kind,
                                         const char* what) const {
    const PickleValue& value = pickle_[pickle_.tuple_item(arguments, i)];
    if (value.kind != kind)
        fail(ErrorCode::format_type, what, " is ", kind_name(value.kind), "; ", kind_name(kind),
             " was expected.");
    return value;
}

PickleValue PickleCalls::call(std::uint32_t function, std::uint32_t arguments) {
    const PickleValue& f = pickle_[function];
    const PickleValue& args = pickle_[arguments];
    if (f.kind != PickleKind::global)
        fail(ErrorCode::format_type, kind_name(f.kind), " is called; a function was expected.");
    if (args.kind != PickleKind::tuple)
        fail(ErrorCode::format_type, "A function is called with ", kind_name(args.kind),
             "; a tuple was expected.");
    switch (f.global) {
        case PickleGlobal::ordered_dict:
            check_arity(args, 0, 0, "OrderedDict");
            return value_of(PickleKind::ordered_dict, 0);
        case PickleGlobal::size:
            check_arity(args, 1, 1, "torch.Size");
            return argument(args, 0, PickleKind::tuple, "The argument of torch.Size");
        case PickleGlobal::rebuild_tensor: return rebuild_tensor(args);
        case PickleGlobal::rebuild_parameter:
            check_arity(args, 3, 3, "_rebuild_parameter");
            argument(args, 1, PickleKind::boolean, "requires_grad of a parameter");
            return argument(args, 0, PickleKind::tensor, "The data of a parameter");
        case PickleGlobal::rebuild_from_type: {
            check_arity(args, 4, 4, "_rebuild_from_type_v2");
            const PickleValue& inner =
                argument(args, 0, PickleKind::global, "The function of _rebuild_from_type_v2");
            const PickleValue& type =
                argument(args, 1, PickleKind::global, "The type of _rebuild_from_type_v2");
            if (inner.global != PickleGlobal::rebuild_tensor || type.global != PickleGlobal::tensor_class)
                fail(ErrorCode::unsupported,
                     "_rebuild_from_type_v2 is called for something that is no plain tensor.");
            return rebuild_tensor(
                argument(args, 2, PickleKind::tuple, "The arguments of _rebuild_from_type_v2"));
        }
        case PickleGlobal::tensor_class:
        case PickleGlobal::storage_class:
        case PickleGlobal::dtype: break;
    }
    fail(ErrorCode::unsupported, "A type of torch is called; only functions that rebuild a tensor are.");
}

std::uint32_t PickleCalls::read_sizes(const PickleValue& sizes, const char* what, std::uint64_t* out) const {
    if (sizes.count > kPickleMostDimensions)
        fail(ErrorCode::format_shape, what, " has ", sizes.count, " dimensions; at most ",
             kPickleMostDimensions, " are accepted.");
    for (std::uint32_t i = 0; i < sizes.count; ++i)
        out[i] = not_negative(argument(sizes, i, PickleKind::integer, what).integer, what);
    return sizes.count;
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])
PickleValue PickleCalls::rebuild_tensor(const PickleValue& args) {
    check_arity(args, 6, 7, "_rebuild_tensor_v2");
    PickleTensor tensor;
    tensor.storage = argument(args, 0, PickleKind::storage, "The storage of a tensor").first;
    tensor.offset = not_negative(argument(args, 1, PickleKind::integer, "The offset of a tensor").integer,
                                 "The offset of a tensor");
    const char* const size = "The shape of a tensor";
    const char* const stride = "The stride of a tensor";
    tensor.n_dims = read_sizes(argument(args, 2, PickleKind::tuple, size), size, tensor.shape);
    if (read_sizes(argument(args, 3, PickleKind::tuple, stride), stride, tensor.stride) != tensor.n_dims)
        fail(ErrorCode::format_shape, "A tensor has ", tensor.n_dims,
             " dimensions, but another number of strides.");
    argument(args, 4, PickleKind::boolean, "requires_grad of a tensor");
    argument(args, 5, PickleKind::ordered_dict, "The hooks of a tensor");
    if (args.count == 7) {
        // Holds the conjugate and the negative bit, when one is set.
        const PickleValue& metadata = pickle_[pickle_.tuple_item(args, 6)];
        const bool is_plain =
            metadata.kind == PickleKind::none || (metadata.kind == PickleKind::dict && metadata.count == 0);
        if (!is_plain) fail(ErrorCode::unsupported, "A tensor has metadata, which is not supported.");
    }
    check_view(tensor, pickle_.storages[tensor.storage]);
    if (pickle_.tensors.size() == kPickleMostTensors)
        fail(ErrorCode::format_limit, "It has more than ", kPickleMostTensors, " tensors.");
    pickle_.tensors.push_back(tensor);
    return value_of(PickleKind::tensor, static_cast<std::uint32_t>(pickle_.tensors.size() - 1));
}

// ('storage', class, key, location, number of elements[, None])
PickleValue PickleCalls::storage(std::uint32_t id) {
    const PickleValue& tuple = pickle_[id];
    if (tuple.kind != PickleKind::tuple)
        fail(ErrorCode::format_type, "A storage's id is ", kind_name(tuple.kind), "; a tuple was expected.");
    const auto n_fields = static_cast<std::uint32_t>(form_);
    if (tuple.count != n_fields)
        fail(ErrorCode::format_type, "A storage's id has ", tuple.count, " fields; ", n_fields,
             " were expected.");
    argument(tuple, 0, PickleKind::text, "The kind of a storage's id");
    if (pickle_.text(pickle_.tuple_item(tuple, 0)) != "storage")
        fail(ErrorCode::unsupported, "A persistent id is for '",
             printable(pickle_.text(pickle_.tuple_item(tuple, 0))), "'; only storages are.");
    const PickleValue& type = argument(tuple, 1, PickleKind::global, "The class of a storage");
    if (type.global != PickleGlobal::storage_class)
        fail(ErrorCode::format_type, "The class of a storage is another global.");
    argument(tuple, 2, PickleKind::text, "The key of a storage");
    argument(tuple, 3, PickleKind::text, "The location of a storage");
    check_location(pickle_.text(pickle_.tuple_item(tuple, 3)));
    const std::int64_t n_elements =
        argument(tuple, 4, PickleKind::integer, "The number of elements of a storage").integer;
    if (form_ == PickleForm::legacy && pickle_.kind(pickle_.tuple_item(tuple, 5)) != PickleKind::none)
        fail(ErrorCode::unsupported,
             "A storage is a view of another one, as torch before 0.4 saved; not supported.");
    PickleStorage storage;
    storage.key = pickle_.text(pickle_.tuple_item(tuple, 2));
    storage.element = &kElements[type.integer];
    storage.n_elements = not_negative(n_elements, "The number of elements of a storage");
    const bool is_number =
        !storage.key.empty() && storage.key.size() <= kLongestKey &&
        std::all_of(storage.key.begin(), storage.key.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number)
        fail(ErrorCode::format_value, "A storage has the key '", printable(storage.key),
             "'; a number was expected.");
    const auto next = static_cast<std::uint32_t>(pickle_.storages.size());
    const auto [found, is_new] = storages_.emplace(storage.key, next);
    if (is_new) {
        if (next == kPickleMostTensors)
            fail(ErrorCode::format_limit, "It has more than ", kPickleMostTensors, " storages.");
        pickle_.storages.push_back(storage);
    } else if (const PickleStorage& known = pickle_.storages[found->second];
               known.element != storage.element || known.n_elements != storage.n_elements) {
        fail(ErrorCode::format_value, "Storage '", storage.key, "' is described in two ways.");
    }
    return value_of(PickleKind::storage, found->second);
}

}  // namespace neox
