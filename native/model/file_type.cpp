#include "model/file_type.h"

#include "base/ascii.h"
#include "base/error.h"

namespace neox {
namespace {

// From many bits to few. An _S mix stands behind its _M: it is the one nearest to the plain type.
constexpr FileTypeInfo kFileTypes[] = {
    {FileType::F32, "F32", DType::F32},          {FileType::F16, "F16", DType::F16},
    {FileType::BF16, "BF16", DType::BF16},       {FileType::Q8_0, "Q8_0", DType::Q8_0},
    {FileType::Q6_K, "Q6_K", DType::Q6_K},       {FileType::Q5_1, "Q5_1", DType::Q5_1},
    {FileType::Q5_K_M, "Q5_K_M", DType::Q5_K},   {FileType::Q5_K_S, "Q5_K_S", DType::Q5_K},
    {FileType::Q5_0, "Q5_0", DType::Q5_0},       {FileType::Q4_K_M, "Q4_K_M", DType::Q4_K},
    {FileType::Q4_1, "Q4_1", DType::Q4_1},       {FileType::Q4_K_S, "Q4_K_S", DType::Q4_K},
    {FileType::IQ4_NL, "IQ4_NL", DType::IQ4_NL}, {FileType::Q4_0, "Q4_0", DType::Q4_0},
    {FileType::Q3_K_L, "Q3_K_L", DType::Q3_K},   {FileType::Q3_K_M, "Q3_K_M", DType::Q3_K},
    {FileType::Q3_K_S, "Q3_K_S", DType::Q3_K},   {FileType::Q2_K, "Q2_K", DType::Q2_K},
};

struct Alias {
    const char* name;
    FileType type;
};

constexpr Alias kAliases[] = {
    {"Q3_K", FileType::Q3_K_M}, {"Q4_K", FileType::Q4_K_M}, {"Q5_K", FileType::Q5_K_M}};

}  // namespace

std::span<const FileTypeInfo> file_types() { return kFileTypes; }

const FileTypeInfo* find_file_type(std::uint32_t number) {
    for (const FileTypeInfo& info : kFileTypes)
        if (static_cast<std::uint32_t>(info.type) == number) return &info;
    return nullptr;
}

const FileTypeInfo& file_type_info(FileType type) {
    const FileTypeInfo* info = find_file_type(static_cast<std::uint32_t>(type));
    if (!info) fail(ErrorCode::unsupported, "Unknown file type ", static_cast<std::int32_t>(type), ".");
    return *info;
}

std::optional<FileType> file_type_from_name(std::string_view name) {
    for (const FileTypeInfo& info : kFileTypes)
        if (equals_ignoring_case(info.name, name)) return info.type;
    for (const Alias& alias : kAliases)
        if (equals_ignoring_case(alias.name, name)) return alias.type;
    return std::nullopt;
}

FileType file_type_of(DType dtype) {
    const FileTypeInfo* found = nullptr;
    for (const FileTypeInfo& info : kFileTypes)
        if (info.dtype == dtype) found = &info;
    if (!found)
        fail(ErrorCode::unsupported, "There is no type of file for matrices of type ", dtype_info(dtype).name,
             ".");
    return found->type;
}

}  // namespace neox
