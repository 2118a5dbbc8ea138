#include "jobs/quantize.h"

#include <utility>

#include "base/file.h"
#include "jobs/write_tensors.h"
#include "model/gguf_source.h"

namespace neox {

WrittenFile quantize(const QuantizeOptions& options, const JobControl& control) {
    if (is_directory(options.source))
        fail(ErrorCode::invalid_argument, "'", options.source,
             "' is a directory; convert it to a GGUF file first.");
    const std::unique_ptr<TensorSource> source = open_gguf_source(options.source);
    GgufFile file = read_gguf(File(options.source));
    file.tensors = source->tensors();  // one authority for the shapes, should the file have changed meanwhile
    TypeRules types = options.types;
    types.has_importance = !options.imatrix.empty();
    WrittenFile result = assign_types(file, types, source->config().n_layer);
    if (!result.requantized.empty() && !options.allow_requantize)
        fail(ErrorCode::invalid_argument, "'", options.source, "' is quantized already (tensor '",
             result.requantized.front(), "' and ", result.requantized.size() - 1,
             " more would change from one quantized type to another), so the errors would add up. Quantize "
             "the "
             "original, or allow this with allowRequantize (--allow-requantize).");
    const TensorImportance importance(options.imatrix, file, *source);
    result.unweighted = importance.missing();
    if (options.dry_run) {
        result.n_bytes = tensor_bytes(file);
        return result;
    }
    std::erase_if(file.metadata, [](const auto& entry) { return entry.first == kKeyQuantizedFrom; });
    if (!options.quantized_from.empty())
        file.set(kKeyQuantizedFrom, GgufValue::string(options.quantized_from));
    GgufWriter writer(options.output, std::move(file));
    result.n_bytes = writer.data_bytes();
    write_converted(writer, *source, importance, options.measure_errors ? &result.errors : nullptr, control);
    control.check();
    writer.commit();
    return result;
}

}  // namespace neox
