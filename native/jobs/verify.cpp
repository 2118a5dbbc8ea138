#include "jobs/verify.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "jobs/row_slices.h"
#include "model/source.h"
#include "quant/quant.h"

namespace neox {
namespace {

struct Buffers {
    AlignedBuffer<std::byte> stored;
    std::vector<float> row;
};

// What is wrong with a slice; a tensor without a name when nothing is.
BadTensor check_slice(const TensorSource& source, const RowSlice& slice, Buffers& buffers) {
    const Tensor& tensor = source.tensors()[slice.tensor];
    const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
    buffers.stored.grow(static_cast<std::size_t>(slice.n_rows * stride));
    buffers.row.resize(static_cast<std::size_t>(tensor.n_cols()));
    source.read_rows(slice.tensor, slice.row_begin, slice.n_rows, buffers.stored.data());
    BadTensor bad;
    for (std::uint64_t i = 0; i < slice.n_rows; ++i) {
        dequantize_row(tensor.dtype, buffers.stored.data() + i * stride,
                       static_cast<std::int64_t>(tensor.n_cols()), buffers.row.data());
        for (std::size_t k = 0; k < buffers.row.size(); ++k) {
            const float value = buffers.row[k];
            if (std::isfinite(value)) continue;
            if (bad.name.empty()) {
                bad.name = tensor.name;
                bad.row = slice.row_begin + i;
                bad.column = k;
            }
            ++(std::isnan(value) ? bad.n_nan : bad.n_infinite);
        }
    }
    return bad;
}

// Slices of one tensor end in any order; the first number is that of the first row.
void merge(BadTensor& into, const BadTensor& bad) {
    if (into.name.empty() || bad.row < into.row) {
        into.name = bad.name;
        into.row = bad.row;
        into.column = bad.column;
    }
    into.n_nan += bad.n_nan;
    into.n_infinite += bad.n_infinite;
}

}  // namespace

VerifyResult verify(const std::string& path, const JobControl& control) {
    const std::unique_ptr<TensorSource> source = open_source(path);
    const std::vector<Tensor>& tensors = source->tensors();
    VerifyResult result;
    for (const Tensor& tensor : tensors) {
        result.n_elements += tensor.n_elements();
        result.n_bytes += row_bytes(tensor.dtype, tensor.n_cols()) * tensor.n_rows();
    }
    result.n_tensors = tensors.size();
    const std::vector<RowSlice> slices = cut_rows(tensors);

    ThreadPool pool(control.n_threads > 0 ? control.n_threads : default_thread_count());
    std::vector<Buffers> buffers(static_cast<std::size_t>(pool.size()));
    std::vector<BadTensor> bad(tensors.size());
    std::mutex mutex;
    std::atomic<std::uint64_t> done{0};
    const auto check_one = [&](std::size_t task, int thread) {
        control.check();
        const RowSlice& slice = slices[task];
        const BadTensor found = check_slice(*source, slice, buffers[static_cast<std::size_t>(thread)]);
        if (!found.name.empty()) {
            const std::lock_guard lock(mutex);
            merge(bad[slice.tensor], found);
        }
        const Tensor& tensor = tensors[slice.tensor];
        const std::uint64_t bytes = row_bytes(tensor.dtype, tensor.n_cols()) * slice.n_rows;
        const std::uint64_t now = done.fetch_add(bytes) + bytes;
        if (thread == 0 && control.on_progress) control.on_progress(now, result.n_bytes);
    };
    pool.parallel_for(slices.size(), check_one);
    for (BadTensor& tensor : bad)
        if (!tensor.name.empty()) result.bad.push_back(std::move(tensor));
    if (control.on_progress) control.on_progress(result.n_bytes, result.n_bytes);
    return result;
}

}  // namespace neox
