// The importance matrix of a model: for each matrix, how large the inputs of its columns are on a text.
// Quantization weighs the error of a weight with it. Files are llama.cpp's, in both of its forms:
//
//   GGUF     general.type "imatrix", imatrix.datasets [string], imatrix.chunk_count u32, imatrix.chunk_size u32
//            (tokens); for each matrix W, `W.in_sum2` F32 [n_cols, 1], sums of squares over tokens, and
//            `W.counts` F32 [1, 1], tokens
//   legacy   i32 n_entries | entries | i32 chunks | string dataset       string = i32 length + bytes
//            entry: string name | i32 calls | i32 n_values | f32 values[n_values], mean square times calls
//            little endian; the last two fields may be missing
//
// W has at most 55 bytes, so that W.in_sum2 is a tensor that GGUF can name.
// A file is untrusted: every length is compared with the bytes that remain before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace neox {

// What entered one matrix.
struct ImportanceEntry {
    std::vector<double> sums;  // [n_cols], of the squares of each column's inputs; finite and not negative
    double count = 0.0;        // of the rows summed, at least 1: sums / count is the mean square

    // What quantization weighs squared errors with, [n_cols]: the mean squares over the largest of them, at least
    // 1e-8, so that neither a silent column nor an absurd file gives a weight that arithmetic cannot hold. All 1
    // where all are 0.
    std::vector<float> weights() const;
};

struct ImportanceMatrix {
    std::map<std::string, ImportanceEntry> entries;  // by GGUF name, "blk.0.ffn_up.weight"
    std::vector<std::string> datasets;               // names of the texts
    std::uint32_t chunk_count = 0;
    std::uint32_t chunk_size = 0;  // tokens of a chunk; 0: not known (legacy form), and counts are calls
};

// A whole file, either form; pure. Throws the format codes.
ImportanceMatrix parse_imatrix(std::span<const std::byte> bytes);
// Throws as parse_imatrix() does, ERR_NEOX_FILE_NOT_FOUND, ERR_NEOX_IO, ERR_NEOX_FORMAT_LIMIT beyond 256 MiB.
ImportanceMatrix read_imatrix(const std::string& path);

// Writes the legacy form under a name that ends in ".dat" (it keeps one dataset, the last), else GGUF. The file
// appears only when it is complete. Throws ERR_NEOX_IO.
void write_imatrix(const ImportanceMatrix& matrix, const std::string& path);

// Adds what `other` has collected. Where the chunks of `other` are of unknown size they count as `sum`'s.
// Throws ERR_NEOX_FORMAT_SHAPE where a matrix has another number of columns; then `sum` is unchanged.
void add_imatrix(ImportanceMatrix& sum, const ImportanceMatrix& other);

}  // namespace neox
