#include "jobs/convert.h"

#include <utility>

#include "base/file.h"
#include "jobs/file_type.h"
#include "jobs/metadata.h"
#include "jobs/write_tensors.h"
#include "model/hf_source.h"

namespace neox {

ConvertResult convert(const ConvertOptions& options, const JobControl& control) {
    if (options.type) check_file_type(*options.type);
    if (!is_directory(options.source))
        fail(is_regular_file(options.source) ? ErrorCode::invalid_argument : ErrorCode::file_not_found, "'",
             options.source, "' is not a directory with a Hugging Face checkpoint.");
    const std::unique_ptr<TensorSource> source = open_hf_source(options.source);
    ModelText texts = source->text();
    if (!options.name.empty()) texts.name = options.name;
    if (!options.chat_format.empty()) texts.chat_format = options.chat_format;

    GgufFile file;
    set_model_keys(file, texts.name, source->parsed());
    ConvertResult result;
    std::vector<std::size_t> origin;
    for (const Tensor& tensor : source->tensors()) {
        if (falls_back(tensor, options.type)) result.fallbacks.push_back(tensor.name);
        Tensor written = tensor;
        written.dtype = type_in_file(tensor, options.type);
        origin.push_back(file.tensors.size());
        file.tensors.push_back(std::move(written));
    }
    set_file_type(file, options.type);
    if (texts.spiece.empty()) {
        set_no_tokenizer_keys(file, source->parsed());
    } else {
        const SpieceModel model = parse_spiece(texts.spiece);
        validate_spiece(model);
        set_tokenizer_keys(file, model, source->parsed());
    }
    set_own_keys(file, source->parsed(), texts);

    GgufWriter writer(options.output, std::move(file));
    result.n_bytes = writer.data_bytes();
    write_converted(writer, *source, origin, control);
    control.check();
    writer.commit();
    return result;
}

}  // namespace neox
