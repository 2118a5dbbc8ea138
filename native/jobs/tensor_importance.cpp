#include "jobs/tensor_importance.h"

#include "base/error.h"
#include "base/file.h"
#include "model/imatrix.h"
#include "quant/quant.h"

namespace neox {

namespace {

// Q8_0 rounds each weight by itself, so that nothing can be weighed.
bool uses_importance(DType dtype) { return is_quantized(dtype) && dtype != DType::Q8_0; }

void take_old_keys_away(GgufFile& file) {
    std::erase_if(file.metadata,
                  [](const auto& entry) { return entry.first.starts_with("quantize.imatrix."); });
}

void set_keys(GgufFile& file, const ImportanceMatrix& matrix, const std::string& path) {
    std::string datasets;
    for (const std::string& dataset : matrix.datasets) datasets += (datasets.empty() ? "" : ", ") + dataset;
    file.set("quantize.imatrix.file", GgufValue::string(base_name(path)));
    if (!datasets.empty()) file.set("quantize.imatrix.dataset", GgufValue::string(datasets));
    file.set("quantize.imatrix.entries_count",
             GgufValue::u32(static_cast<std::uint32_t>(matrix.entries.size())));
    if (matrix.chunk_count > 0) file.set("quantize.imatrix.chunks_count", GgufValue::u32(matrix.chunk_count));
}

}  // namespace

TensorImportance::TensorImportance(const std::string& path, GgufFile& file, const TensorSource& source)
    : weights_(file.tensors.size()) {
    bool is_changed = false;
    for (std::size_t i = 0; i < file.tensors.size(); ++i)
        is_changed |= file.tensors[i].dtype != source.tensors()[i].dtype;
    if (is_changed) take_old_keys_away(file);
    if (path.empty()) return;

    const ImportanceMatrix matrix = read_imatrix(path);
    bool knows_any = false;
    for (std::size_t i = 0; i < file.tensors.size(); ++i) {
        const Tensor& tensor = file.tensors[i];
        const auto entry = matrix.entries.find(tensor.name);
        knows_any |= entry != matrix.entries.end();
        if (!uses_importance(tensor.dtype) || tensor.dtype == source.tensors()[i].dtype) continue;
        if (entry == matrix.entries.end()) {
            if (tensor.name.starts_with("blk.")) missing_.push_back(tensor.name);
            continue;
        }
        if (entry->second.sums.size() != tensor.n_cols())
            fail(ErrorCode::format_shape, "'", path, "' has ", entry->second.sums.size(), " columns for '",
                 tensor.name, "', which has ", tensor.n_cols(), ": it is another model's.");
        weights_[i] = entry->second.weights();
    }
    if (!knows_any)
        fail(ErrorCode::format_value, "'", path,
             "' knows none of this model's tensors: it is another model's.");
    if (is_changed) set_keys(file, matrix, path);
}

std::span<const float> TensorImportance::of(std::size_t index) const { return weights_[index]; }

}  // namespace neox
