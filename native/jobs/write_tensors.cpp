#include "jobs/write_tensors.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "jobs/row_slices.h"
#include "kernels/quantize_rows.h"
#include "model/type_mix.h"
#include "quant/quant.h"

namespace neox {
namespace {

constexpr std::uint64_t kBatchElements = 32768;  // of f32 at a time

// Rows of a tensor of the source, in the type of `to`, a few at a time.
void convert_rows(const TensorSource& source, std::size_t index, const Tensor& to,
                  std::span<const float> importance, TensorErrors* errors, std::uint64_t row_begin,
                  std::uint64_t n_rows, std::byte* dst) {
    const DType from = source.tensors()[index].dtype;
    const std::uint64_t from_stride = row_bytes(from, to.n_cols()),
                        to_stride = row_bytes(to.dtype, to.n_cols());
    const auto n_cols = static_cast<std::int64_t>(to.n_cols());
    const std::uint64_t batch = std::min(n_rows, std::max<std::uint64_t>(1, kBatchElements / to.n_cols()));
    // Not all at once: a slice of few bits a weight may be a dozen times as large in the source.
    std::vector<std::byte> stored(static_cast<std::size_t>(batch * from_stride));
    std::vector<float> rows(static_cast<std::size_t>(batch * to.n_cols()));
    TensorErrors::Sums sums;
    for (std::uint64_t i = 0; i < n_rows; i += batch) {
        const std::uint64_t n = std::min(batch, n_rows - i);
        const auto n_elements = static_cast<std::int64_t>(n) * n_cols;
        source.read_rows(index, row_begin + i, n, stored.data());
        dequantize_row(from, stored.data(), n_elements, rows.data());
        try {
            quantize_rows(to.dtype, rows.data(), static_cast<std::int64_t>(n), n_cols,
                          importance.empty() ? nullptr : importance.data(), dst + i * to_stride);
        } catch (const Error& e) {
            throw Error(e.code(),
                        text("Tensor '", to.name, "', from row ", row_begin + i, " on: ", e.what()));
        }
        if (errors) errors->measure(n, rows.data(), dst + i * to_stride, sums);
    }
    if (errors) errors->take(row_begin, sums);
}

}  // namespace

void write_tensors(GgufWriter& writer, const MakeRows& make_rows, const JobControl& control) {
    const std::vector<Tensor>& tensors = writer.file().tensors;
    const std::vector<RowSlice> slices = cut_rows(tensors);
    const std::uint64_t total = writer.data_bytes();
    ThreadPool pool(control.n_threads > 0 ? control.n_threads : default_thread_count());
    std::vector<AlignedBuffer<std::byte>> buffers(static_cast<std::size_t>(pool.size()));
    std::atomic<std::uint64_t> done{0};
    const auto run = [&](std::size_t task, int thread) {
        control.check();
        const RowSlice& slice = slices[task];
        const Tensor& tensor = tensors[slice.tensor];
        const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
        const auto n_bytes = static_cast<std::size_t>(slice.n_rows * stride);
        AlignedBuffer<std::byte>& buffer = buffers[static_cast<std::size_t>(thread)];
        buffer.grow(n_bytes);
        make_rows(slice.tensor, slice.row_begin, slice.n_rows, buffer.data());
        writer.write(slice.tensor, slice.row_begin * stride, {buffer.data(), n_bytes});
        const std::uint64_t now = done.fetch_add(n_bytes) + n_bytes;
        if (thread == 0 && control.on_progress) control.on_progress(now, total);
    };
    pool.parallel_for(slices.size(), run);
    if (control.on_progress) control.on_progress(total, total);
}

void write_converted(GgufWriter& writer, const TensorSource& source, const TensorImportance& importance,
                     std::vector<TensorError>* errors, const JobControl& control) {
    const std::vector<Tensor>& tensors = writer.file().tensors;
    std::vector<std::unique_ptr<TensorErrors>> measured(tensors.size());
    for (std::size_t i = 0; errors && i < tensors.size(); ++i)
        if (tensors[i].dtype != source.tensors()[i].dtype && !is_vector(tensors[i]))
            measured[i] = std::make_unique<TensorErrors>(tensors[i], importance.of(i));
    const auto make_rows = [&](std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                               std::byte* dst) {
        if (source.tensors()[index].dtype == tensors[index].dtype)
            source.read_rows(index, row_begin, n_rows, dst);
        else
            convert_rows(source, index, tensors[index], importance.of(index), measured[index].get(),
                         row_begin, n_rows, dst);
    };
    write_tensors(writer, make_rows, control);
    for (const auto& tensor : measured)
        if (tensor) errors->push_back(tensor->result());
}

}  // namespace neox
