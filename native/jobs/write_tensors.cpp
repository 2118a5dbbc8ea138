#include "jobs/write_tensors.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/thread_pool.h"
#include "kernels/quantize_rows.h"
#include "quant/quant.h"

namespace neox {
namespace {

// Of the output; large enough for sequential writes, small enough for a prompt answer to cancel.
constexpr std::uint64_t kSliceBytes = std::uint64_t{4} << 20;

struct Slice {
    std::size_t tensor;
    std::uint64_t row_begin;
    std::uint64_t n_rows;
};

std::vector<Slice> cut(const std::vector<Tensor>& tensors) {
    std::vector<Slice> slices;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::uint64_t stride = row_bytes(tensors[i].dtype, tensors[i].n_cols());
        const std::uint64_t step = std::max<std::uint64_t>(1, kSliceBytes / stride);
        for (std::uint64_t row = 0; row < tensors[i].n_rows(); row += step)
            slices.push_back({i, row, std::min(step, tensors[i].n_rows() - row)});
    }
    return slices;
}

// The largest finite f16 is 65504; from 65520 on a value rounds to infinity.
void check_f16_range(const Tensor& tensor, const std::vector<float>& row) {
    for (const float v : row)
        if (std::isfinite(v) && std::fabs(v) >= 65520.0f)
            fail(ErrorCode::format_value, "Tensor '", tensor.name, "' holds ", v,
                 ", which F16 cannot represent; choose F32 or BF16.");
}

}  // namespace

void write_tensors(GgufWriter& writer, const MakeRows& make_rows, const JobControl& control) {
    const std::vector<Tensor>& tensors = writer.file().tensors;
    const std::vector<Slice> slices = cut(tensors);
    const std::uint64_t total = writer.data_bytes();
    ThreadPool pool(control.n_threads > 0 ? control.n_threads : default_thread_count());
    std::vector<std::vector<std::byte>> buffers(static_cast<std::size_t>(pool.size()));
    std::atomic<std::uint64_t> done{0};
    const auto run = [&](std::size_t task, int thread) {
        control.check();
        const Slice& slice = slices[task];
        const Tensor& tensor = tensors[slice.tensor];
        const std::uint64_t stride = row_bytes(tensor.dtype, tensor.n_cols());
        std::vector<std::byte>& buffer = buffers[static_cast<std::size_t>(thread)];
        buffer.resize(static_cast<std::size_t>(slice.n_rows * stride));
        make_rows(slice.tensor, slice.row_begin, slice.n_rows, buffer.data());
        writer.write(slice.tensor, slice.row_begin * stride, buffer);
        const std::uint64_t now = done.fetch_add(buffer.size()) + buffer.size();
        if (thread == 0 && control.on_progress) control.on_progress(now, total);
    };
    pool.parallel_for(slices.size(), run);
    if (control.on_progress) control.on_progress(total, total);
}

void write_converted(GgufWriter& writer, const TensorSource& source, const JobControl& control) {
    const std::vector<Tensor>& tensors = writer.file().tensors;
    const auto make_rows = [&](std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                               std::byte* dst) {
        const Tensor& to = tensors[index];
        const Tensor& from = source.tensors()[index];
        if (from.dtype == to.dtype) {
            source.read_rows(index, row_begin, n_rows, dst);
            return;
        }
        const std::uint64_t from_stride = row_bytes(from.dtype, from.n_cols());
        const std::uint64_t to_stride = row_bytes(to.dtype, to.n_cols());
        const auto n_cols = static_cast<std::int64_t>(from.n_cols());
        std::vector<std::byte> stored(static_cast<std::size_t>(n_rows * from_stride));
        source.read_rows(index, row_begin, n_rows, stored.data());
        std::vector<float> row(from.n_cols());
        for (std::uint64_t i = 0; i < n_rows; ++i) {
            dequantize_row(from.dtype, stored.data() + i * from_stride, n_cols, row.data());
            if (to.dtype == DType::F16) check_f16_range(to, row);
            try {
                quantize_rows(to.dtype, row.data(), 1, n_cols, nullptr, dst + i * to_stride);
            } catch (const Error& e) {
                throw Error(e.code(), text("Tensor '", to.name, "', row ", row_begin + i, ": ", e.what()));
            }
        }
    };
    write_tensors(writer, make_rows, control);
}

}  // namespace neox
