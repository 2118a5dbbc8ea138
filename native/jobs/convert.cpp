#include "jobs/convert.h"

#include <utility>

#include "base/file.h"
#include "jobs/metadata.h"
#include "jobs/tokenizer_metadata.h"
#include "jobs/write_tensors.h"
#include "model/gguf_source.h"
#include "model/hf_source.h"

namespace neox {

WrittenFile convert(const ConvertOptions& options, const JobControl& control) {
    if (!is_directory(options.source))
        fail(is_regular_file(options.source) ? ErrorCode::invalid_argument : ErrorCode::file_not_found, "'",
             options.source, "' is not a directory with a Hugging Face checkpoint.");
    const std::unique_ptr<TensorSource> source = open_hf_source(options.source);
    ModelText texts = source->text();
    if (!options.name.empty()) texts.name = options.name;
    if (!options.chat_format.empty()) texts.chat_format = options.chat_format;

    GgufFile file;
    set_model_keys(file, texts.name, source->parsed());
    file.tensors = source->tensors();
    TypeRules types = options.types;
    types.has_importance = !options.imatrix.empty();
    WrittenFile result = assign_types(file, types, source->config().n_layer);
    set_tokenizer_keys(file, texts, source->parsed());
    set_chat_template(file, texts, options.chat_template);
    set_own_keys(file, source->parsed(), texts);
    if (!options.quantized_from.empty())
        file.set(kKeyQuantizedFrom, GgufValue::string(options.quantized_from));

    const TensorImportance importance(options.imatrix, file, *source);
    result.unweighted = importance.missing();
    GgufWriter writer(options.output, std::move(file));
    result.n_bytes = writer.data_bytes();
    write_converted(writer, *source, importance, options.measure_errors ? &result.errors : nullptr, control);
    control.check();
    writer.commit();
    return result;
}

}  // namespace neox
