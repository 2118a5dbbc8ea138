#include "model/source.h"

#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf_source.h"
#include "model/hf_source.h"
#include "model/source_check.h"

namespace neox {

void check_shape(const Tensor& tensor, const ExpectedTensor& expected) {
    if (tensor.n_cols() == expected.n_cols && tensor.n_rows() == expected.n_rows) return;
    fail(ErrorCode::format_shape, "Tensor '", tensor.name, "' has ", tensor.n_rows(), " rows of ",
         tensor.n_cols(), "; ", expected.n_rows, " rows of ", expected.n_cols,
         " were expected from the configuration.");
}

void check_tensors(const Config& config, const std::vector<Tensor>& tensors) {
    std::unordered_map<std::string_view, const Tensor*> by_name;
    for (const Tensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
    std::unordered_set<std::string> names;
    for (const ExpectedTensor& expected : expected_tensors(config)) {
        const auto found = by_name.find(expected.name);
        if (found == by_name.end())
            fail(ErrorCode::format_missing, "Tensor '", expected.name, "' is missing.");
        check_shape(*found->second, expected);
        names.insert(expected.name);
    }
    for (const Tensor& tensor : tensors)
        if (!names.contains(tensor.name))
            fail(ErrorCode::unsupported, "Tensor '", tensor.name, "' is not part of a GPT-NeoX model of ",
                 config.n_layer, " layers.");
}

void check_rows(const Tensor& tensor, std::uint64_t row_begin, std::uint64_t n_rows) {
    if (row_begin > tensor.n_rows() || n_rows > tensor.n_rows() - row_begin)
        fail(ErrorCode::invalid_argument, "Rows ", row_begin, " to ", row_begin + n_rows, " of tensor '",
             tensor.name, "' do not exist; it has ", tensor.n_rows(), ".");
}

std::string identity_text(const FileIdentity& identity) {
    return text(identity.device, ":", identity.inode, ":", identity.size, ":", identity.mtime);
}

std::unique_ptr<TensorSource> open_source(const std::string& path) {
    if (is_directory(path)) return open_hf_source(path);
    return open_gguf_source(path);
}

}  // namespace neox
