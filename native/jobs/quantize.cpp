#include "jobs/quantize.h"

#include <utility>

#include "base/file.h"
#include "jobs/file_type.h"
#include "jobs/write_tensors.h"
#include "model/gguf_source.h"
#include "quant/quant.h"

namespace neox {

QuantizeResult quantize(const QuantizeOptions& options, const JobControl& control) {
    check_file_type(options.type);
    if (is_directory(options.source))
        fail(ErrorCode::invalid_argument, "'", options.source,
             "' is a directory; convert it to a GGUF file first.");
    const std::unique_ptr<TensorSource> source = open_gguf_source(options.source);
    GgufFile file = read_gguf(File(options.source));
    file.tensors = source->tensors();  // one authority for the shapes, should the file have changed meanwhile
    QuantizeResult result;
    std::vector<std::size_t> origin;
    for (Tensor& tensor : file.tensors) {
        if (falls_back(tensor, options.type)) result.fallbacks.push_back(tensor.name);
        const DType type = type_in_file(tensor, options.type);
        if (type != tensor.dtype && !can_dequantize(tensor.dtype))
            fail(ErrorCode::unsupported, "Tensor '", tensor.name, "' has type ",
                 dtype_info(tensor.dtype).name, ", which cannot be read yet.");
        tensor.dtype = type;
        origin.push_back(origin.size());
    }
    set_file_type(file, options.type);

    GgufWriter writer(options.output, std::move(file));
    result.n_bytes = writer.data_bytes();
    write_converted(writer, *source, origin, control);
    control.check();
    writer.commit();
    return result;
}

}  // namespace neox
