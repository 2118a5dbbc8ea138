// What one asks for when a model is quantized: a type of file, "Q4_K_M". It is a mix of tensor types (tensor/dtype.h), and
// model/type_mix.h says which tensor gets which. The numbers are llama.cpp's llama_ftype, as in general.file_type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/dtype.h"

namespace neox {

enum class FileType : std::int32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q8_0 = 7,
    Q5_0 = 8,
    Q5_1 = 9,
    Q2_K = 10,
    Q3_K_S = 11,
    Q3_K_M = 12,
    Q3_K_L = 13,
    Q4_K_S = 14,
    Q4_K_M = 15,
    Q5_K_S = 16,
    Q5_K_M = 17,
    Q6_K = 18,
    IQ4_NL = 25,
    BF16 = 32,
};

struct FileTypeInfo {
    FileType type;
    const char* name;
    DType dtype;  // of the matrices that no rule names
};

// Every file type, from many bits to few.
std::span<const FileTypeInfo> file_types();
// Throws ERR_NEOX_UNSUPPORTED for a value outside the table.
const FileTypeInfo& file_type_info(FileType type);
// nullptr for a number of general.file_type that the table does not hold.
const FileTypeInfo* find_file_type(std::uint32_t number);
// In any case. "Q3_K", "Q4_K" and "Q5_K" stand for their _M mixes, as for llama-quantize.
std::optional<FileType> file_type_from_name(std::string_view name);
// What a file is called whose matrices are of this type: Q4_K_S for Q4_K. Throws ERR_NEOX_UNSUPPORTED where there is none.
FileType file_type_of(DType dtype);

}  // namespace neox
