#include "model/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/printable.h"
#include "gguf/gguf.h"

namespace neox {

namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{256} << 20;
constexpr std::uint32_t kMostEntries = 65536;  // each costs more memory than its bytes
constexpr std::int32_t kMostCalls = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kLongestName = 55;  // with ".in_sum2", what GGUF holds
constexpr double kLeastWeight = 1e-8;
constexpr const char* kSums = ".in_sum2";
constexpr const char* kCounts = ".counts";

float float_at(std::span<const std::byte> bytes, std::size_t index) {
    float value;
    std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
    return value;
}

std::vector<double> read_sums(std::span<const std::byte> bytes, const std::string& name) {
    std::vector<double> sums(bytes.size() / sizeof(float));
    for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] = float_at(bytes, i);
        if (!std::isfinite(sums[i]) || sums[i] < 0.0)
            fail(ErrorCode::format_value, "The importance of column ", i, " of '", printable(name), "' is ",
                 sums[i], "; a finite number of at least 0 was expected.");
    }
    return sums;
}

ImportanceMatrix parse_gguf_form(std::span<const std::byte> bytes) {
    const GgufFile file = *parse_gguf(bytes, bytes.size());  // always there: all of the file is at hand
    const std::string type = file.find_string("general.type").value_or("none");
    if (type != "imatrix")
        fail(ErrorCode::format_value, "This GGUF file is of general.type '", printable(type),
             "', not an importance matrix.");
    ImportanceMatrix matrix;
    matrix.chunk_count = file.get_u32("imatrix.chunk_count");
    matrix.chunk_size = file.get_u32("imatrix.chunk_size");
    if (const GgufValue* datasets = file.find("imatrix.datasets")) {
        const auto* array = std::get_if<GgufArray>(&datasets->value);
        if (!array || array->element != GgufType::string)
            fail(ErrorCode::format_type, "Metadata 'imatrix.datasets' is no array of strings.");
        matrix.datasets = array->strings;
    }
    const auto data = [&](const Tensor& tensor) {
        return bytes.subspan(static_cast<std::size_t>(file.data_offset + tensor.offset),
                             static_cast<std::size_t>(tensor.n_bytes));
    };
    for (const Tensor& tensor : file.tensors) {
        const bool is_count = tensor.name.ends_with(kCounts);
        if (!is_count && !tensor.name.ends_with(kSums))
            fail(ErrorCode::format_value, "Tensor '", tensor.name, "' is neither *", kSums, " nor *", kCounts,
                 ".");
        if (tensor.dtype != DType::F32)
            fail(ErrorCode::format_type, "Tensor '", tensor.name, "' has type ",
                 dtype_info(tensor.dtype).name, "; F32 was expected.");
        if (tensor.n_rows() != 1 || (is_count && tensor.n_cols() != 1))
            fail(ErrorCode::format_shape, "Tensor '", tensor.name, "' has ", tensor.n_cols(), " x ",
                 tensor.n_rows(), " elements; that of a single matrix was expected.");
        const std::string name = tensor.name.substr(0, tensor.name.rfind('.'));
        ImportanceEntry& entry = matrix.entries[name];
        if (!is_count) {
            entry.sums = read_sums(data(tensor), name);
            continue;
        }
        entry.count = float_at(data(tensor), 0);
        if (!std::isfinite(entry.count) || entry.count < 1.0)
            fail(ErrorCode::format_value, "The count of '", name, "' is ", entry.count,
                 "; at least 1 was expected.");
    }
    for (const auto& [name, entry] : matrix.entries)
        if (entry.sums.empty() || entry.count == 0.0)
            fail(ErrorCode::format_missing, "'", name, entry.sums.empty() ? kSums : kCounts, "' is missing.");
    return matrix;
}

// The legacy form, from its beginning to its end.
class LegacyReader {
public:
    explicit LegacyReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    std::size_t remaining() const { return rest_.size(); }

    std::span<const std::byte> bytes(std::uint64_t n, const char* what) {
        if (n > rest_.size())
            fail(ErrorCode::format_truncated, "The file ends within ", what, ": ", n, " bytes are needed, ",
                 rest_.size(), " are left.");
        const auto taken = rest_.first(static_cast<std::size_t>(n));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

    // A number from `min` on.
    std::uint32_t number(std::int32_t min, const char* what) {
        std::int32_t value;
        std::memcpy(&value, bytes(sizeof value, what).data(), sizeof value);
        if (value < min)
            fail(ErrorCode::format_value, "The number of ", what, " is ", value, "; at least ", min,
                 " was expected. Is this an importance matrix?");
        return static_cast<std::uint32_t>(value);
    }

    std::string string(std::int32_t min_length, const char* what) {
        const auto span = bytes(number(min_length, what), what);
        return {reinterpret_cast<const char*>(span.data()), span.size()};
    }

private:
    std::span<const std::byte> rest_;
};

ImportanceMatrix parse_legacy_form(std::span<const std::byte> bytes) {
    LegacyReader in(bytes);
    ImportanceMatrix matrix;
    const std::uint32_t n_entries = in.number(1, "entries");
    for (std::uint32_t i = 0; i < n_entries; ++i) {
        if (i == kMostEntries)
            fail(ErrorCode::format_limit, "There are ", n_entries, " matrices; at most ", kMostEntries,
                 " are accepted.");
        const std::string name = in.string(1, "a matrix's name");
        if (name.size() > kLongestName)
            fail(ErrorCode::format_limit, "The name of a matrix, '", printable(name), "', has ", name.size(),
                 " bytes; at most ", kLongestName, " are accepted.");
        const auto [entry, is_new] = matrix.entries.try_emplace(name);
        if (!is_new) fail(ErrorCode::format_duplicate, "The matrix '", printable(name), "' occurs twice.");
        entry->second.count = in.number(1, "calls");
        const std::uint64_t n_values = in.number(1, "values");
        entry->second.sums = read_sums(in.bytes(n_values * sizeof(float), "a matrix's values"), name);
    }
    if (in.remaining() == 0) return matrix;
    matrix.chunk_count = in.number(0, "chunks");
    if (in.remaining() == 0) return matrix;
    if (std::string dataset = in.string(0, "the dataset's name"); !dataset.empty())
        matrix.datasets.push_back(std::move(dataset));
    return matrix;
}

// A sum too large for f32, as those of absurd files may become, is written as the largest number: infinity would
// make a file that is refused.
std::vector<std::byte> to_f32_bytes(const std::vector<double>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
        constexpr double kLargest = std::numeric_limits<float>::max();
        const auto value = static_cast<float>(std::min(values[i], kLargest));
        std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    }
    return bytes;
}

void write_gguf_form(const ImportanceMatrix& matrix, const std::string& path) {
    GgufFile file;
    file.set("general.type", GgufValue::string("imatrix"));
    file.set("imatrix.datasets", GgufValue::strings(matrix.datasets));
    file.set("imatrix.chunk_count", GgufValue::u32(matrix.chunk_count));
    file.set("imatrix.chunk_size", GgufValue::u32(matrix.chunk_size));
    std::vector<std::vector<std::byte>> data;
    const auto add = [&](const std::string& name, const std::vector<double>& values) {
        Tensor tensor;
        tensor.name = name;
        tensor.n_dims = 2;
        tensor.shape[0] = values.size();
        file.tensors.push_back(std::move(tensor));
        data.push_back(to_f32_bytes(values));
    };
    for (const auto& [name, entry] : matrix.entries) {
        add(name + kSums, entry.sums);
        add(name + kCounts, {entry.count});
    }
    GgufWriter writer(path, std::move(file));
    for (std::size_t i = 0; i < data.size(); ++i) writer.write(i, 0, data[i]);
    writer.commit();
}

void write_legacy_form(const ImportanceMatrix& matrix, const std::string& path) {
    OutputFile out(path);
    const auto number = [&](std::uint64_t value) {
        const auto narrow = static_cast<std::int32_t>(std::min<std::uint64_t>(value, kMostCalls));
        out.append(std::as_bytes(std::span(&narrow, 1)));
    };
    const auto string = [&](const std::string& value) {
        number(value.size());
        out.append(as_bytes(value));
    };
    number(matrix.entries.size());
    for (const auto& [name, entry] : matrix.entries) {
        const double calls =
            std::clamp(std::ceil(entry.count / std::max(1u, matrix.chunk_size)), 1.0, double{kMostCalls});
        std::vector<double> values;
        for (const double sum : entry.sums) values.push_back(sum / entry.count * calls);
        string(name);
        number(static_cast<std::uint64_t>(calls));
        number(values.size());
        out.append(to_f32_bytes(values));
    }
    number(matrix.chunk_count);
    string(matrix.datasets.empty() ? std::string() : matrix.datasets.back());
    out.commit();
}

}  // namespace

std::vector<float> ImportanceEntry::weights() const {
    const double largest = sums.empty() ? 0.0 : *std::max_element(sums.begin(), sums.end());
    std::vector<float> out(sums.size(), 1.0f);
    if (largest == 0.0) return out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<float>(std::max(sums[i] / largest, kLeastWeight));
    return out;
}

ImportanceMatrix parse_imatrix(std::span<const std::byte> bytes) {
    const bool is_gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
    ImportanceMatrix matrix = is_gguf ? parse_gguf_form(bytes) : parse_legacy_form(bytes);
    if (matrix.entries.empty()) fail(ErrorCode::format_missing, "The importance matrix has no entry.");
    return matrix;
}

ImportanceMatrix read_imatrix(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path, kLargestFile);
    try {
        return parse_imatrix(bytes);
    } catch (const Error& e) {
        throw Error(e.code(), text("'", path, "': ", e.what()));
    }
}

void write_imatrix(const ImportanceMatrix& matrix, const std::string& path) {
    path.ends_with(".dat") ? write_legacy_form(matrix, path) : write_gguf_form(matrix, path);
}

void add_imatrix(ImportanceMatrix& sum, const ImportanceMatrix& other) {
    for (const auto& [name, entry] : other.entries) {
        const auto found = sum.entries.find(name);
        if (found != sum.entries.end() && found->second.sums.size() != entry.sums.size())
            fail(ErrorCode::format_shape, "'", name, "' has ", entry.sums.size(),
                 " columns in one importance matrix and ", found->second.sums.size(), " in another.");
    }
    const double scale = other.chunk_size == 0 ? std::max(1u, sum.chunk_size) : 1.0;
    for (const auto& [name, entry] : other.entries) {
        ImportanceEntry& into = sum.entries[name];
        into.sums.resize(entry.sums.size());
        for (std::size_t i = 0; i < entry.sums.size(); ++i) into.sums[i] += entry.sums[i] * scale;
        into.count += entry.count * scale;
    }
    const std::uint64_t n_chunks = std::uint64_t{sum.chunk_count} + other.chunk_count;
    sum.chunk_count = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(n_chunks, std::numeric_limits<std::uint32_t>::max()));
    sum.datasets.insert(sum.datasets.end(), other.datasets.begin(), other.datasets.end());
}

}  // namespace neox
